-- The server, the locale that a new database gets, and the sizes of the live one and the kept one.
SELECT COALESCE(pg_catalog.to_jsonb(t) ->> 'datlocale', pg_catalog.to_jsonb(t) ->> 'daticulocale',
    t.datcollate),
  -- Only some roles may see it.
  (SELECT pg_catalog.string_to_array(pg_catalog.replace(s.setting, ' ', ''), ',')
    FROM pg_catalog.pg_settings s WHERE s.name = 'shared_preload_libraries'),
  pg_catalog.current_setting('timescaledb.license', true),
  pg_catalog.current_setting('max_locks_per_transaction')::pg_catalog.int8,
  -- Whoever may hold locks: sessions, workers, prepared transactions.
  (SELECT pg_catalog.sum(s.setting::pg_catalog.int8)
    FROM pg_catalog.pg_settings s
    WHERE s.name IN ('max_connections', 'max_prepared_transactions', 'autovacuum_max_workers',
      'max_worker_processes', 'max_wal_senders'))::pg_catalog.int8,
  (SELECT pg_catalog.pg_database_size(d.oid) FROM pg_catalog.pg_database d WHERE d.datname = %s),
  (SELECT pg_catalog.pg_database_size(d.oid) FROM pg_catalog.pg_database d WHERE d.datname = %s)
FROM pg_catalog.pg_database t
WHERE t.datname = 'template0'
