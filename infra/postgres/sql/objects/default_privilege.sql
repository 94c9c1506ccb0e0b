-- Privileges on objects that are still to be made: those granted, and the built-in ones revoked.
SELECT o.privilege || ' on ' || o.kind || ' of ' || pg_catalog.quote_ident(o.role)
    || COALESCE(' in schema ' || pg_catalog.quote_ident(o.schema), '')
    || ' to ' || CASE WHEN o.grantee = 0 THEN 'PUBLIC'
      ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(o.grantee)) END,
  pg_catalog.jsonb_build_object(
    'privilege', o.privilege,
    'on', o.kind,
    'role', o.role,
    'schema', o.schema,
    'grantee', CASE WHEN o.grantee = 0 THEN 'PUBLIC'
      ELSE pg_catalog.pg_get_userbyid(o.grantee) END,
    'grantable', pg_catalog.bool_or(o.grantable),
    'revoked', o.revoked
  )
FROM (
  WITH stored AS (
    SELECT pg_catalog.pg_get_userbyid(d.defaclrole) AS role, n.nspname AS schema,
      CASE d.defaclobjtype
        WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions'
        WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE 'large objects' END AS kind,
      d.defaclacl AS acl,
      -- Those of a schema come on top of the others.
      CASE WHEN d.defaclnamespace = 0 THEN pg_catalog.acldefault(
        CASE d.defaclobjtype WHEN 'S' THEN 's'::pg_catalog."char" ELSE d.defaclobjtype END,
        d.defaclrole
      ) END AS built_in
    FROM pg_catalog.pg_default_acl d
    LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
  )
  SELECT s.role, s.schema, s.kind, g.grantee, g.privilege_type AS privilege,
    g.is_grantable AS grantable, false AS revoked
  FROM stored s
  CROSS JOIN LATERAL pg_catalog.aclexplode(s.acl) g
  WHERE (g.grantee, g.privilege_type) NOT IN (
    SELECT grantee, privilege_type FROM pg_catalog.aclexplode(s.built_in)
  )
  UNION ALL
  SELECT s.role, s.schema, s.kind, g.grantee, g.privilege_type, false, true
  FROM stored s
  CROSS JOIN LATERAL pg_catalog.aclexplode(s.built_in) g
  WHERE (g.grantee, g.privilege_type) NOT IN (
    SELECT grantee, privilege_type FROM pg_catalog.aclexplode(s.acl)
  )
) o
GROUP BY o.role, o.schema, o.kind, o.grantee, o.privilege, o.revoked
