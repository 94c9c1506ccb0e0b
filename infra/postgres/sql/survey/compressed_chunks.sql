-- Chunks with the relation that holds them compressed, as TimescaleDB 2.19 and newer note it.
SELECT pg_catalog.to_regclass(x.setting ->> 'relid')::pg_catalog.oid::pg_catalog.int8,
  pg_catalog.to_regclass(x.setting ->> 'compress_relid')::pg_catalog.oid::pg_catalog.int8
FROM (SELECT pg_catalog.to_jsonb(t) FROM _timescaledb_catalog.compression_settings t) x (setting)
WHERE pg_catalog.to_regclass(x.setting ->> 'compress_relid') IS NOT NULL
