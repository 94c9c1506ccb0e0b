-- The indexes of the given tables, but those of keys.
SELECT x.indexrelid::pg_catalog.int8, x.indrelid::pg_catalog.int8, i.relname,
  pg_catalog.pg_get_indexdef(x.indexrelid)
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
WHERE x.indrelid = ANY (%s::pg_catalog.oid[])
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = x.indexrelid
    AND k.conrelid = x.indrelid AND k.contype IN ('p', 'u', 'x'))
