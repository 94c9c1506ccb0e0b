-- Tables that a crash of the server would empty.
SELECT c.oid::pg_catalog.regclass::pg_catalog.text
FROM pg_catalog.pg_class c
WHERE c.relpersistence = 'u' AND c.relkind IN ('r', 'p')
  AND (c.relnamespace::pg_catalog.regnamespace::pg_catalog.text = ANY (
    pg_catalog.string_to_array(pg_catalog.current_setting('slipway.left_alone', true), ','))) IS NOT TRUE
ORDER BY 1
