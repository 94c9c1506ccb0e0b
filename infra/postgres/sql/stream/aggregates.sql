-- Continuous aggregates: the view by which they are known, and the query that they keep the result
-- of, as their refresh would run it.
SELECT a.view_schema, a.view_name, c.oid::pg_catalog.int8,
  pg_catalog.rtrim(a.view_definition, ';'),
  EXISTS (
    SELECT FROM pg_catalog.pg_class other
    WHERE other.relnamespace = n.oid AND other.relname = a.view_name || %s
  )
FROM timescaledb_information.continuous_aggregates a
JOIN pg_catalog.pg_namespace n ON n.nspname = a.view_schema
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = a.view_name
ORDER BY a.view_schema, a.view_name
