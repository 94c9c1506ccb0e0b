-- Tables that a crash of the server would empty.
SELECT c.oid::pg_catalog.regclass::pg_catalog.text
FROM pg_catalog.pg_class c
WHERE c.relpersistence = 'u' AND c.relkind IN ('r', 'p')
ORDER BY 1
