-- Roles that were granted something in this database, by default privileges too.
SELECT DISTINCT r.rolname
FROM pg_catalog.pg_shdepend d
JOIN pg_catalog.pg_roles r ON r.oid = d.refobjid
WHERE d.deptype = 'a'
  AND d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
  AND d.dbid = (
    SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
ORDER BY 1
