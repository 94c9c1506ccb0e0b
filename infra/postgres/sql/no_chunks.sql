-- The same two names for a database without TimescaleDB.
chunk AS (
  SELECT NULL::pg_catalog.oid AS oid WHERE false
),
continuous_aggregate AS (
  SELECT NULL::pg_catalog.oid AS oid WHERE false
),
