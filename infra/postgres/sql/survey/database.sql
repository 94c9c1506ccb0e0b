-- The database, the connected role, and the server's lock table.
SELECT d.datname, pg_catalog.pg_database_size(d.oid),
  pg_catalog.pg_encoding_to_char(d.encoding), d.datcollate,
  -- Providers came with version 15, a locale of their own with 15 under another name.
  CASE COALESCE(pg_catalog.to_jsonb(d) ->> 'datlocprovider', 'c')
    WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
  COALESCE(pg_catalog.to_jsonb(d) ->> 'datlocale', pg_catalog.to_jsonb(d) ->> 'daticulocale'),
  r.rolname, r.rolsuper, r.rolbypassrls,
  pg_catalog.current_setting('max_locks_per_transaction')::pg_catalog.int8,
  -- Whoever may hold locks: sessions, workers, prepared transactions.
  (SELECT pg_catalog.sum(s.setting::pg_catalog.int8)
    FROM pg_catalog.pg_settings s
    WHERE s.name IN ('max_connections', 'max_prepared_transactions', 'autovacuum_max_workers',
      'max_worker_processes', 'max_wal_senders'))::pg_catalog.int8
FROM pg_catalog.pg_database d
JOIN pg_catalog.pg_roles r ON r.rolname = CURRENT_USER
WHERE d.datname = pg_catalog.current_database()
