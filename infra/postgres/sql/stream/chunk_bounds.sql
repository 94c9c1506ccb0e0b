-- The ranges of chunks along the first dimension: the label of a receipt's part, and both ends as
-- values of the column's type, without one where the range is open.
SELECT DISTINCT hypertable_schema, hypertable_name,
  COALESCE(range_start::pg_catalog.text, range_start_integer::pg_catalog.text) || ' to '
    || COALESCE(range_end::pg_catalog.text, range_end_integer::pg_catalog.text),
  CASE
    WHEN range_start = '-infinity' OR range_start_integer = -9223372036854775808 THEN NULL
    WHEN primary_dimension_type = 'timestamptz'::pg_catalog.regtype
      THEN range_start::pg_catalog.text
    WHEN primary_dimension_type = 'timestamp'::pg_catalog.regtype
      THEN (range_start AT TIME ZONE 'UTC')::pg_catalog.text
    WHEN primary_dimension_type = 'date'::pg_catalog.regtype
      THEN (range_start AT TIME ZONE 'UTC')::pg_catalog.date::pg_catalog.text
    ELSE range_start_integer::pg_catalog.text
  END,
  CASE
    WHEN range_end = 'infinity' OR range_end_integer = 9223372036854775807 THEN NULL
    WHEN primary_dimension_type = 'timestamptz'::pg_catalog.regtype
      THEN range_end::pg_catalog.text
    WHEN primary_dimension_type = 'timestamp'::pg_catalog.regtype
      THEN (range_end AT TIME ZONE 'UTC')::pg_catalog.text
    WHEN primary_dimension_type = 'date'::pg_catalog.regtype
      THEN (range_end AT TIME ZONE 'UTC')::pg_catalog.date::pg_catalog.text
    ELSE range_end_integer::pg_catalog.text
  END
FROM timescaledb_information.chunks
