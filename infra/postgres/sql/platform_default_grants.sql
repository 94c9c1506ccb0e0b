-- What the Data API's roles are granted of whatever the connected role makes from now on.
SELECT DISTINCT COALESCE(n.nspname, ''),
  CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS'
    WHEN 'T' THEN 'TYPES' ELSE 'SCHEMAS' END,
  g.rolname
FROM pg_catalog.pg_default_acl d
CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) a
JOIN pg_catalog.pg_roles g ON g.oid = a.grantee
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
WHERE d.defaclrole = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER)
  AND g.rolname = ANY (%s)
  AND d.defaclobjtype IN ('r', 'S', 'f', 'T', 'n')
  AND (n.nspname = ANY (
    pg_catalog.string_to_array(pg_catalog.current_setting('slipway.left_alone', true), ','))) IS NOT TRUE
ORDER BY 1, 2, 3
