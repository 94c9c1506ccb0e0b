-- Of the given hypertables, those whose root is not empty and may be read.
SELECT c.oid::pg_catalog.int8, n.nspname, c.relname
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY (%s::pg_catalog.oid[])
  AND pg_catalog.pg_relation_size(c.oid) > 0
  AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
ORDER BY 2, 3
