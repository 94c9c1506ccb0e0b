-- The names that other queries need, where there is no TimescaleDB: nothing goes by them.
chunk AS (
  SELECT NULL::pg_catalog.oid AS oid WHERE false
),
continuous_aggregate AS (
  SELECT NULL::pg_catalog.oid AS oid WHERE false
),
