-- Hypertables with the ranges of their chunks.
SELECT c.name,
  pg_catalog.jsonb_build_object(
    'owner', pg_catalog.pg_get_userbyid(c.relowner),
    'dimensions', (
      SELECT pg_catalog.jsonb_agg(
        pg_catalog.jsonb_build_object(
          'column', d.column_name,
          'type', d.column_type,
          'interval', COALESCE(
            d.time_interval::pg_catalog.text, d.integer_interval::pg_catalog.text
          ),
          'partitions', d.num_partitions,
          'now', d.integer_now_func
        )
        ORDER BY d.dimension_number
      )
      FROM timescaledb_information.dimensions d
      WHERE d.hypertable_schema = h.schema_name AND d.hypertable_name = h.table_name
    ),
    'compression', COALESCE(i.compression_enabled, false),
    'chunks', COALESCE(k.chunks, 0),
    'compressed_chunks', COALESCE(k.compressed, 0),
    'chunk_ranges', COALESCE(k.ranges, pg_catalog.jsonb_build_array())
  )
FROM own_table c
JOIN _timescaledb_catalog.hypertable h ON h.schema_name = c.nspname AND h.table_name = c.relname
LEFT JOIN timescaledb_information.hypertables i
  ON i.hypertable_schema = h.schema_name AND i.hypertable_name = h.table_name
LEFT JOIN chunk_ranges k
  ON k.hypertable_schema = h.schema_name AND k.hypertable_name = h.table_name
