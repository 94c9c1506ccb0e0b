-- Continuous aggregates; `functions` is the schema of TimescaleDB's own functions. What not every
-- version of TimescaleDB knows is read through `later`.
SELECT c.name,
  pg_catalog.jsonb_build_object(
    'owner', pg_catalog.pg_get_userbyid(c.relowner),
    'definition', a.view_definition,
    'columns', columns.list,
    'column_comments', columns.comments,
    'materialized_only', a.materialized_only,
    'finalized', pg_catalog.to_jsonb(a) -> 'finalized',
    'compression', a.compression_enabled,
    'watermark', CASE WHEN pg_catalog.has_table_privilege(c.oid, 'SELECT') THEN
      {functions}.cagg_watermark(o.mat_hypertable_id)::pg_catalog.text END,
    'materialization_hypertable', pg_catalog.quote_ident(a.materialization_hypertable_schema)
      || '.' || pg_catalog.quote_ident(a.materialization_hypertable_name),
    'chunks', COALESCE(k.chunks, 0),
    'compressed_chunks', COALESCE(k.compressed, 0),
    'indexes', (
      SELECT pg_catalog.jsonb_agg(x.indexdef ORDER BY x.indexname)
      FROM pg_catalog.pg_indexes x
      WHERE x.schemaname = a.materialization_hypertable_schema
        AND x.tablename = a.materialization_hypertable_name
    ),
    'comment', pg_catalog.obj_description(c.oid, 'pg_class')
  )
FROM continuous_aggregate o
JOIN own_relation c ON c.oid = o.oid
LEFT JOIN view_columns columns ON columns.oid = c.oid
JOIN timescaledb_information.continuous_aggregates a
  ON a.view_schema = o.user_view_schema AND a.view_name = o.user_view_name
LEFT JOIN chunk_ranges k
  ON k.hypertable_schema = a.materialization_hypertable_schema
  AND k.hypertable_name = a.materialization_hypertable_name
