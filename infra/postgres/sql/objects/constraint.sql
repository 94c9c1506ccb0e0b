-- Constraints of tables; a column says itself whether it is nullable.
SELECT pg_catalog.quote_ident(k.conname) || ' on ' || c.name,
  pg_catalog.jsonb_build_object(
    'definition', pg_catalog.pg_get_constraintdef(k.oid),
    'validated', k.convalidated,
    'deferrable', k.condeferrable,
    'comment', pg_catalog.obj_description(k.oid, 'pg_constraint')
  )
FROM own_table c
JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid
WHERE (k.tableoid, k.oid) NOT IN (SELECT classid, objid FROM platform_tie)
  AND (k.contype IN ('c', 'p', 'u', 'x')
    -- The server makes those that repeat a foreign key for a partition, under names of its own.
    OR (k.contype = 'f' AND k.conparentid = 0 AND k.confrelid NOT IN (SELECT oid FROM chunk)))
