-- Continuous aggregates with the hypertable that holds their rows; only where TimescaleDB is.
SELECT pg_catalog.format('%I.%I', materialization_hypertable_schema,
    materialization_hypertable_name)::pg_catalog.regclass::pg_catalog.oid::pg_catalog.int8,
  view_schema, view_name, materialization_hypertable_schema, materialization_hypertable_name
FROM timescaledb_information.continuous_aggregates
ORDER BY view_schema, view_name
