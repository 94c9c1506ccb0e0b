-- Foreign data wrappers that no extension brought.
SELECT w.fdwname
FROM pg_catalog.pg_foreign_data_wrapper w
WHERE NOT EXISTS (
  SELECT FROM pg_catalog.pg_depend d
  WHERE d.classid = 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass
    AND d.objid = w.oid AND d.deptype = 'e')
ORDER BY 1
