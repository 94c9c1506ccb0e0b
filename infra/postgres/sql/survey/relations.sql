-- How many relations a dump and its receipt lock at once.
SELECT pg_catalog.count(*)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid >= 16384
  AND c.relkind IN ('r', 'p', 'i', 'I', 'S')
  AND c.relpersistence <> 't'
  AND n.nspname <> 'pg_toast'
  AND (n.nspname = ANY (
    pg_catalog.string_to_array(pg_catalog.current_setting('slipway.left_alone', true), ','))) IS NOT TRUE
