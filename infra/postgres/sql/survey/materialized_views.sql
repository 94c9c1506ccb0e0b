-- Materialized views: a restore fills them anew.
SELECT c.oid::pg_catalog.regclass::pg_catalog.text
FROM pg_catalog.pg_class c
WHERE c.relkind = 'm' AND c.oid >= 16384
ORDER BY 1
