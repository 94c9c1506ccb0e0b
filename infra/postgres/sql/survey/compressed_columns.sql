-- Columns of the given relations that hold compressed batches and may be read.
SELECT c.oid::pg_catalog.int8, n.nspname, c.relname, a.attname
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE c.oid = ANY (%s::pg_catalog.oid[])
  AND t.typname = 'compressed_data'
  AND NOT a.attisdropped
  AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
ORDER BY c.relname, a.attnum
