-- Hypertables but for those that hold compressed chunks; TimescaleDB of any version. Columns that
-- some versions lack are asked of the row as JSON, here and in the files beside this one.
SELECT h.id, c.oid::pg_catalog.int8, c.oid::pg_catalog.regclass::pg_catalog.text,
  COALESCE((pg_catalog.to_jsonb(h) ->> 'replication_factor')::pg_catalog.int4, 0) > 0
FROM _timescaledb_catalog.hypertable h
JOIN pg_catalog.pg_namespace n ON n.nspname = h.schema_name
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = h.table_name
WHERE COALESCE((pg_catalog.to_jsonb(h) ->> 'compression_state')::pg_catalog.int4, 0) <> 2
  AND NOT COALESCE((pg_catalog.to_jsonb(h) ->> 'compressed')::pg_catalog.bool, false)
ORDER BY 3
