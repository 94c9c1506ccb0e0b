-- Partitions that hold rows, at whatever depth, with the bound of each in its parent.
WITH RECURSIVE tree (root, oid, path) AS (
  SELECT c.oid, c.oid, ''::pg_catalog.text COLLATE "C"
  FROM pg_catalog.pg_class c
  WHERE c.oid = ANY (%s::pg_catalog.oid[])
  UNION ALL
  SELECT tree.root, c.oid,
    tree.path || ' ' || pg_catalog.pg_get_expr(c.relpartbound, c.oid) COLLATE "C"
  FROM tree
  JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid
  JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
)
SELECT tree.root::pg_catalog.int8, n.nspname, c.relname, pg_catalog.btrim(tree.path),
  COALESCE(pg_catalog.pg_relation_size(c.oid), 0)
FROM tree
JOIN pg_catalog.pg_class c ON c.oid = tree.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND tree.oid <> tree.root
ORDER BY tree.root, c.relname
