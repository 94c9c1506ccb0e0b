-- How hypertables are compressed.
SELECT COALESCE(
    pg_catalog.quote_ident(a.view_schema) || '.' || pg_catalog.quote_ident(a.view_name),
    pg_catalog.quote_ident(s.hypertable_schema) || '.' || pg_catalog.quote_ident(s.hypertable_name)
  ),
  pg_catalog.jsonb_build_object(
    'segmentby', pg_catalog.string_agg(
      pg_catalog.quote_ident(s.attname), ', ' ORDER BY s.segmentby_column_index
    ) FILTER (WHERE s.segmentby_column_index IS NOT NULL),
    'orderby', pg_catalog.string_agg(
      pg_catalog.quote_ident(s.attname)
        || CASE WHEN s.orderby_asc THEN '' ELSE ' DESC' END
        || CASE WHEN s.orderby_nullsfirst THEN ' NULLS FIRST' ELSE ' NULLS LAST' END,
      ', ' ORDER BY s.orderby_column_index
    ) FILTER (WHERE s.orderby_column_index IS NOT NULL)
  )
FROM timescaledb_information.compression_settings s
LEFT JOIN timescaledb_information.continuous_aggregates a
  ON a.materialization_hypertable_schema = s.hypertable_schema
  AND a.materialization_hypertable_name = s.hypertable_name
GROUP BY a.view_schema, a.view_name, s.hypertable_schema, s.hypertable_name
