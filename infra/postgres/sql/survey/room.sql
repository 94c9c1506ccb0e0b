-- How many more sessions the role may open: of the server's, the database's and its own limit, the
-- lowest. A superuser is bound by the server's alone.
WITH open AS (
  SELECT pg_catalog.count(*) AS server,
    pg_catalog.count(*) FILTER (WHERE datname = pg_catalog.current_database()) AS database,
    pg_catalog.count(*) FILTER (WHERE usename = CURRENT_USER) AS role
  FROM pg_catalog.pg_stat_activity
  -- Of others' sessions only some roles may see what they are, but everybody their database.
  WHERE backend_type = 'client backend' OR (backend_type IS NULL AND datid IS NOT NULL)
)
SELECT LEAST(
  pg_catalog.current_setting('max_connections')::pg_catalog.int8
    - pg_catalog.current_setting('superuser_reserved_connections')::pg_catalog.int8
    - COALESCE(pg_catalog.current_setting('reserved_connections', true)::pg_catalog.int8, 0)
    - o.server,
  CASE WHEN r.rolconnlimit >= 0 AND NOT r.rolsuper THEN r.rolconnlimit - o.role END,
  CASE WHEN d.datconnlimit >= 0 AND NOT r.rolsuper THEN d.datconnlimit - o.database END)
FROM open o, pg_catalog.pg_roles r, pg_catalog.pg_database d
WHERE r.rolname = CURRENT_USER AND d.datname = pg_catalog.current_database()
