-- The columns of the given tables that hold values of their own, and whether those look the same in
-- binary form on every server: an array or a row of somebody's own type has a number in it.
WITH RECURSIVE base (type, base) AS (
  SELECT t.oid, t.oid FROM pg_catalog.pg_type t WHERE t.typtype <> 'd'
  UNION ALL
  SELECT t.oid, base.base
  FROM pg_catalog.pg_type t
  JOIN base ON base.type = t.typbasetype
  WHERE t.typtype = 'd'
)
SELECT a.attrelid::pg_catalog.int8, a.attname,
  t.typtype = 'e' OR (
    t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace
    AND pg_catalog.ltrim(t.typname, '_') IN (
      'bool', 'int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'text', 'varchar', 'bpchar',
      'bytea', 'timestamp', 'timestamptz', 'date', 'time', 'timetz', 'interval', 'uuid', 'json',
      'jsonb', 'inet', 'cidr', 'macaddr', 'macaddr8')
  )
FROM pg_catalog.pg_attribute a
JOIN base ON base.type = a.atttypid
JOIN pg_catalog.pg_type t ON t.oid = base.base
WHERE a.attrelid = ANY (%s::pg_catalog.oid[])
  AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
ORDER BY a.attrelid, a.attnum
