-- Columns (of tables, views, indexes, types) and domains with a collation of their own.
WITH used (object, oid) AS (
  SELECT a.attrelid::pg_catalog.regclass || '.' || pg_catalog.quote_ident(a.attname),
    a.attcollation
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  WHERE a.attcollation <> 0
    AND NOT a.attisdropped
    AND c.oid >= 16384
    AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c', 'i', 'I')
    AND c.relpersistence <> 't'
    AND NOT c.relispartition
    AND (c.relnamespace::pg_catalog.regnamespace::pg_catalog.text = ANY (
      pg_catalog.string_to_array(pg_catalog.current_setting('slipway.left_alone', true), ','))) IS NOT TRUE
    AND c.relnamespace::pg_catalog.regnamespace::pg_catalog.text !~ '^(pg_|_timescaledb_)'
  UNION ALL
  SELECT t.oid::pg_catalog.regtype::pg_catalog.text, t.typcollation
  FROM pg_catalog.pg_type t
  WHERE t.typtype = 'd' AND t.typcollation <> 0 AND t.oid >= 16384
)
SELECT u.object,
  CASE c.collnamespace WHEN 'pg_catalog'::pg_catalog.regnamespace THEN c.collname::pg_catalog.text
    ELSE c.collnamespace::pg_catalog.regnamespace || '.' || pg_catalog.quote_ident(c.collname) END,
  CASE c.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
  CASE c.collnamespace WHEN 'pg_catalog'::pg_catalog.regnamespace THEN NULL
    ELSE COALESCE(pg_catalog.to_jsonb(c) ->> 'collcollate',
      pg_catalog.to_jsonb(c) ->> 'colllocale', pg_catalog.to_jsonb(c) ->> 'colliculocale') END
FROM used u
JOIN pg_catalog.pg_collation c ON c.oid = u.oid
WHERE c.collprovider <> 'd' AND c.collname NOT IN ('default', 'C', 'POSIX')
ORDER BY 1
