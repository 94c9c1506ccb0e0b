-- Tables whose rows are elsewhere.
SELECT c.oid::pg_catalog.regclass::pg_catalog.text
FROM pg_catalog.pg_class c
WHERE c.relkind = 'f'
ORDER BY 1
