-- Indexes that an interrupted build left behind; a dump leaves them out.
SELECT c.oid::pg_catalog.regclass::pg_catalog.text
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE NOT i.indisvalid AND c.relkind = 'i' AND c.oid >= 16384
  AND c.relnamespace <> 'pg_toast'::pg_catalog.regnamespace
  AND (c.relnamespace::pg_catalog.regnamespace::pg_catalog.text = ANY (
    pg_catalog.string_to_array(pg_catalog.current_setting('slipway.left_alone', true), ','))) IS NOT TRUE
ORDER BY 1
