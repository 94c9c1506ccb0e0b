-- Keys and foreign keys of the given tables, and their comments.
SELECT k.conrelid::pg_catalog.int8, k.conname, k.contype = 'f', pg_catalog.pg_get_constraintdef(k.oid),
  pg_catalog.obj_description(k.oid, 'pg_constraint')
FROM pg_catalog.pg_constraint k
WHERE k.conrelid = ANY (%s::pg_catalog.oid[]) AND k.contype IN ('p', 'u', 'x', 'f')
  AND k.conparentid = 0
  -- TimescaleDB repeats a foreign key for each chunk that it refers to.
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = k.confrelid AND n.nspname ~ '^_timescaledb_')
ORDER BY k.conrelid, k.contype = 'f', k.contype <> 'p', k.conname
