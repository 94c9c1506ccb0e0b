-- Continuous aggregates with the hypertable that holds their rows, and whether they have the format
-- that came with TimescaleDB 2.7: unknown where there is only one.
SELECT pg_catalog.quote_ident(a.user_view_schema) || '.'
    || pg_catalog.quote_ident(a.user_view_name),
  a.mat_hypertable_id,
  (pg_catalog.to_jsonb(a) ->> 'finalized')::pg_catalog.bool
FROM _timescaledb_catalog.continuous_agg a
ORDER BY 1
