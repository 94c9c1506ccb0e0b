-- Tables that hold rows themselves, with what they are part of: bytes of the heap, bytes with what
-- lies outside of it, and whether they hold TimescaleDB's compressed batches.
SELECT c.oid::pg_catalog.int8, n.nspname, c.relname,
  COALESCE((SELECT pg_catalog.min(i.inhparent::pg_catalog.int8)
    FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid), c.oid::pg_catalog.int8),
  pg_catalog.pg_relation_size(c.oid), pg_catalog.pg_table_size(c.oid),
  n.nspname ~ '^_timescaledb_' AND c.relname ~ '^compress_hyper_'
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r'
  AND c.oid >= 16384
  AND c.relpersistence <> 't'
  AND (n.nspname = ANY (
    pg_catalog.string_to_array(pg_catalog.current_setting('slipway.left_alone', true), ','))) IS NOT TRUE
  AND pg_catalog.pg_relation_size(c.oid) > 0
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY c.oid
