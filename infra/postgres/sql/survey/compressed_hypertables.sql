-- Hypertables that only hold compressed chunks; there are none from TimescaleDB 2.31 on.
SELECT c.oid::pg_catalog.int8
FROM _timescaledb_catalog.hypertable h
JOIN pg_catalog.pg_namespace n ON n.nspname = h.schema_name
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = h.table_name
WHERE (pg_catalog.to_jsonb(h) ->> 'compression_state')::pg_catalog.int4 = 2
  OR (pg_catalog.to_jsonb(h) ->> 'compressed')::pg_catalog.bool
