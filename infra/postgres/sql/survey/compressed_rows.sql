-- How many rows compressed chunks had when they were compressed.
SELECT COALESCE(pg_catalog.sum(
  (pg_catalog.to_jsonb(s) ->> 'numrows_pre_compression')::pg_catalog.int8), 0)::pg_catalog.int8
FROM _timescaledb_catalog.compression_chunk_size s
