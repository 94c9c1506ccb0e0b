-- What the role may do by its attributes, its memberships and its rights in this database.
SELECT r.rolname AS name, r.rolsuper AS superuser, r.rolcreatedb AS creates_databases,
  r.rolcreaterole AS creates_roles, r.rolbypassrls AS bypasses_row_security,
  r.rolreplication AS replicates,
  pg_catalog.pg_has_role(r.oid, d.datdba, 'MEMBER') AS owns_database,
  pg_catalog.has_database_privilege(d.oid, 'CREATE') AS creates_schemas,
  COALESCE(pg_catalog.has_schema_privilege(pg_catalog.to_regnamespace('public'), 'CREATE'), false)
    AS creates_in_public,
  pg_catalog.pg_has_role(r.oid, 'pg_signal_backend', 'MEMBER') AS signals_backends
FROM pg_catalog.pg_roles r, pg_catalog.pg_database d
WHERE r.rolname = CURRENT_USER AND d.datname = pg_catalog.current_database()
