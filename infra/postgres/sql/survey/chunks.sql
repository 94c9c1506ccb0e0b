-- Chunks with their hypertable, whether their rows are elsewhere, and the chunk that holds them
-- compressed.
SELECT (x.chunk ->> 'id')::pg_catalog.int4, (x.chunk ->> 'hypertable_id')::pg_catalog.int4,
  c.oid::pg_catalog.int8, c.oid::pg_catalog.regclass::pg_catalog.text, c.relkind = 'f',
  (x.chunk ->> 'compressed_chunk_id')::pg_catalog.int4
FROM (SELECT pg_catalog.to_jsonb(t) FROM _timescaledb_catalog.chunk t) x (chunk)
JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(COALESCE(
  x.chunk ->> 'relid',
  pg_catalog.quote_ident(x.chunk ->> 'schema_name') || '.'
    || pg_catalog.quote_ident(x.chunk ->> 'table_name')))
ORDER BY 1
