-- The server, its clocks, its room, and whether it can be written to.
SELECT pg_catalog.current_setting('server_version') AS version,
  pg_catalog.pg_is_in_recovery() AS replica,
  pg_catalog.current_setting('transaction_read_only') = 'on' AS read_only,
  pg_catalog.current_setting('statement_timeout') AS statement_timeout,
  pg_catalog.current_setting('lock_timeout') AS lock_timeout,
  pg_catalog.current_setting('idle_in_transaction_session_timeout')
    AS idle_in_transaction_session_timeout,
  -- Known from version 17 on.
  pg_catalog.current_setting('transaction_timeout', true) AS transaction_timeout,
  pg_catalog.current_setting('max_connections')::pg_catalog.int8 AS max_connections,
  -- Of others' sessions only some roles may see what they are, but everybody their database.
  (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity
    WHERE backend_type = 'client backend' OR (backend_type IS NULL AND datid IS NOT NULL))
    AS used_connections,
  (SELECT NULLIF(r.rolconnlimit, -1) FROM pg_catalog.pg_roles r WHERE r.rolname = CURRENT_USER)
    AS role_limit,
  pg_catalog.pg_database_size(pg_catalog.current_database()) AS size,
  pg_catalog.current_setting('timescaledb.license', true) AS timescaledb_edition
