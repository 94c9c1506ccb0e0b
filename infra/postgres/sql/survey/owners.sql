-- Roles that own something which a dump holds.
WITH owned (class, oid, owner) AS (
  SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, oid, relowner FROM pg_catalog.pg_class
  WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND relpersistence <> 't'
  UNION ALL
  SELECT 'pg_catalog.pg_namespace'::pg_catalog.regclass, oid, nspowner FROM pg_catalog.pg_namespace
  WHERE nspname !~ '^pg_'
  UNION ALL
  SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, oid, proowner FROM pg_catalog.pg_proc
  UNION ALL
  SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, oid, typowner FROM pg_catalog.pg_type
  WHERE typrelid = 0
  UNION ALL
  SELECT 'pg_catalog.pg_largeobject_metadata'::pg_catalog.regclass, oid, lomowner
  FROM pg_catalog.pg_largeobject_metadata
  UNION ALL
  SELECT 'pg_catalog.pg_publication'::pg_catalog.regclass, oid, pubowner
  FROM pg_catalog.pg_publication
)
SELECT DISTINCT r.rolname
FROM owned o
JOIN pg_catalog.pg_roles r ON r.oid = o.owner
WHERE o.oid >= 16384
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = o.class AND d.objid = o.oid AND d.deptype = 'e')
ORDER BY 1
