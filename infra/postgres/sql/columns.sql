-- Columns of the given tables with the built-in type that lies under their domain, if any.
WITH RECURSIVE base (type, base) AS (
  SELECT t.oid, t.oid FROM pg_catalog.pg_type t WHERE t.typtype <> 'd'
  UNION ALL
  SELECT t.oid, base.base
  FROM pg_catalog.pg_type t
  JOIN base ON base.type = t.typbasetype
  WHERE t.typtype = 'd'
)
SELECT a.attrelid::pg_catalog.int8, a.attname,
  pg_catalog.format_type(a.atttypid, a.atttypmod),
  CASE WHEN t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace THEN t.typname ELSE '' END,
  -- Since version 18 a constraint that was never validated counts as well.
  a.attnotnull AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_constraint n
    WHERE n.conrelid = a.attrelid AND n.contype = 'n' AND NOT n.convalidated
      AND a.attnum = ANY (n.conkey)
  )
FROM pg_catalog.pg_attribute a
JOIN base ON base.type = a.atttypid
JOIN pg_catalog.pg_type t ON t.oid = base.base
WHERE a.attrelid = ANY (%s::pg_catalog.oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
