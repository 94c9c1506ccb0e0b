-- Indexes that an interrupted build left behind; a dump leaves them out.
SELECT c.oid::pg_catalog.regclass::pg_catalog.text
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE NOT i.indisvalid AND c.relkind = 'i' AND c.oid >= 16384
  AND c.relnamespace <> 'pg_toast'::pg_catalog.regnamespace
ORDER BY 1
