-- Chunks with their range along the first dimension; only where TimescaleDB is installed.
SELECT hypertable_schema, hypertable_name, chunk_schema, chunk_name,
  COALESCE(range_start::pg_catalog.text, range_start_integer::pg_catalog.text),
  COALESCE(range_end::pg_catalog.text, range_end_integer::pg_catalog.text),
  pg_catalog.pg_relation_size(
    pg_catalog.format('%I.%I', chunk_schema, chunk_name)::pg_catalog.regclass)
FROM timescaledb_information.chunks
ORDER BY hypertable_schema, hypertable_name, range_start, range_start_integer, chunk_name
