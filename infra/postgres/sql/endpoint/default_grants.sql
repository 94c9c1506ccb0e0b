-- What roles of an API are given of everything that is made from now on.
SELECT g.rolname, COALESCE(n.nspname, '(every schema)'), o.rolname,
  CASE d.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions'
    WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE d.defaclobjtype::pg_catalog.text END,
  pg_catalog.string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type)
FROM pg_catalog.pg_default_acl d
CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) a
JOIN pg_catalog.pg_roles g ON g.oid = a.grantee
JOIN pg_catalog.pg_roles o ON o.oid = d.defaclrole
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
WHERE g.rolname IN ('anon', 'authenticated')
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4
