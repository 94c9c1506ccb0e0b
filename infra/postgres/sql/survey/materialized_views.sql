-- Materialized views: a restore fills them anew.
SELECT c.oid::pg_catalog.regclass::pg_catalog.text
FROM pg_catalog.pg_class c
WHERE c.relkind = 'm' AND c.oid >= 16384
  AND (c.relnamespace::pg_catalog.regnamespace::pg_catalog.text = ANY (
    pg_catalog.string_to_array(pg_catalog.current_setting('slipway.left_alone', true), ','))) IS NOT TRUE
ORDER BY 1
