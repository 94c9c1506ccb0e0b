-- Columns of tables. What not every version of PostgreSQL knows is read through `later`.
SELECT c.name || '.' || pg_catalog.quote_ident(a.attname),
  pg_catalog.jsonb_build_object(
    'position', pg_catalog.row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum),
    'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
    'nullable', NOT a.attnotnull,
    'default', pg_catalog.pg_get_expr(d.adbin, d.adrelid),
    'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END,
    'generated', CASE later.fields ->> 'attgenerated'
      WHEN 's' THEN 'stored' WHEN 'v' THEN 'virtual' END,
    'collation', CASE WHEN a.attcollation <> t.typcollation THEN l.name END,
    'storage', CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage END,
    'compression', NULLIF(later.fields ->> 'attcompression', ''),
    'statistics', NULLIF(a.attstattarget, -1),
    'options', (
      SELECT pg_catalog.jsonb_agg(o.option ORDER BY o.option)
      FROM pg_catalog.unnest(a.attoptions) o (option)
      -- Minor releases of late 2026 number the versions of a column here; no dump carries that.
      WHERE o.option !~ '^pg_attver='
    ),
    'comment', r.description
  )
FROM own_table c
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(a) AS fields OFFSET 0) later
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN collation_name l ON l.oid = a.attcollation
LEFT JOIN pg_catalog.pg_description r
  ON r.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
  AND r.objoid = a.attrelid
  AND r.objsubid = a.attnum
