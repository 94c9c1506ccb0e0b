-- What TimescaleDB made: the chunks of hypertables, in whichever schema, and the views of
-- continuous aggregates.
chunk AS (
  SELECT i.inhrelid AS oid
  FROM _timescaledb_catalog.hypertable h
  JOIN pg_catalog.pg_namespace n ON n.nspname = h.schema_name
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = h.table_name
  JOIN pg_catalog.pg_inherits i ON i.inhparent = c.oid
),
continuous_aggregate AS (
  SELECT a.mat_hypertable_id, c.oid, a.user_view_schema, a.user_view_name
  FROM _timescaledb_catalog.continuous_agg a
  JOIN pg_catalog.pg_namespace n ON n.nspname = a.user_view_schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = a.user_view_name
),
chunk_ranges AS (
  SELECT hypertable_schema, hypertable_name, pg_catalog.count(*) AS chunks,
    pg_catalog.count(*) FILTER (WHERE is_compressed) AS compressed,
    pg_catalog.jsonb_agg(
      pg_catalog.jsonb_build_array(
        COALESCE(range_start::pg_catalog.text, range_start_integer::pg_catalog.text),
        COALESCE(range_end::pg_catalog.text, range_end_integer::pg_catalog.text)
      )
      ORDER BY range_start, range_start_integer, range_end, range_end_integer
    ) AS ranges
  FROM timescaledb_information.chunks
  GROUP BY hypertable_schema, hypertable_name
),
