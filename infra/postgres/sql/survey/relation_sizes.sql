-- Bytes of rows and of indexes of the given relations.
SELECT c.oid::pg_catalog.int8, pg_catalog.pg_table_size(c.oid), pg_catalog.pg_indexes_size(c.oid)
FROM pg_catalog.pg_class c
WHERE c.oid = ANY (%s::pg_catalog.oid[])
