-- Tables, each with its partitions or chunks: estimated rows, bytes of rows and of indexes.
-- The parameters hold the hypertables, whose children are chunks, and what is left out.
WITH RECURSIVE hypertable (oid) AS (
  SELECT pg_catalog.unnest(%s::pg_catalog.oid[])
), part (root, oid) AS (
  SELECT c.oid, c.oid
  FROM pg_catalog.pg_class c
  WHERE c.relkind IN ('r', 'p')
    AND c.oid >= 16384
    AND NOT c.relispartition
    AND c.relpersistence <> 't'
    AND (c.relnamespace::pg_catalog.regnamespace::pg_catalog.text = ANY (
      pg_catalog.string_to_array(pg_catalog.current_setting('slipway.left_alone', true), ','))) IS NOT TRUE
    AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_inherits i
      WHERE i.inhrelid = c.oid AND i.inhparent IN (SELECT h.oid FROM hypertable h))
    AND c.oid <> ALL (%s::pg_catalog.oid[])
    AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.objid = c.oid AND d.deptype = 'e')
  UNION ALL
  SELECT part.root, c.oid
  FROM part
  JOIN pg_catalog.pg_inherits i ON i.inhparent = part.oid
  JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
  WHERE c.relkind IN ('r', 'p')
    AND (c.relispartition OR part.oid IN (SELECT h.oid FROM hypertable h))
)
SELECT n.nspname, r.relname, r.oid::pg_catalog.int8,
  pg_catalog.sum(CASE
    WHEN c.relkind = 'p' OR c.relpages = 0 OR c.reltuples < 0 THEN 0
    -- As the planner does: the density of the last ANALYZE times the pages of now.
    ELSE c.reltuples / c.relpages * (pg_catalog.pg_relation_size(c.oid)
      / pg_catalog.current_setting('block_size')::pg_catalog.int8) END)::pg_catalog.int8,
  pg_catalog.sum(pg_catalog.pg_table_size(c.oid))::pg_catalog.int8,
  pg_catalog.sum(pg_catalog.pg_indexes_size(c.oid))::pg_catalog.int8
FROM part
JOIN pg_catalog.pg_class c ON c.oid = part.oid
JOIN pg_catalog.pg_class r ON r.oid = part.root
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
GROUP BY n.nspname, r.relname, r.oid
ORDER BY n.nspname, r.relname
