-- Tables that are partitioned by ranges of one column: the column, its type, whether a hypertable
-- can be made of them, and the most frequent width of their partitions.
WITH bound AS (
  SELECT i.inhparent, i.inhrelid, c.relkind, found.ends
  FROM pg_catalog.pg_inherits i
  JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
  CROSS JOIN LATERAL (
    SELECT pg_catalog.regexp_match(pg_catalog.pg_get_expr(c.relpartbound, c.oid),
      $$^FOR VALUES FROM \('?([^']*?)'?\) TO \('?([^']*?)'?\)$$ || '$') AS ends
  ) found
)
SELECT r.oid::pg_catalog.int8, a.attname, pg_catalog.format_type(a.atttypid, NULL),
  NOT EXISTS (SELECT FROM bound b WHERE b.inhparent = r.oid AND b.relkind <> 'r'),
  CASE WHEN a.atttypid IN ('int2'::pg_catalog.regtype, 'int4'::pg_catalog.regtype,
      'int8'::pg_catalog.regtype)
    THEN (
      SELECT (b.ends[2]::pg_catalog.numeric - b.ends[1]::pg_catalog.numeric)::pg_catalog.text
      FROM bound b
      WHERE b.inhparent = r.oid AND b.ends IS NOT NULL
        AND b.ends[1] <> 'MINVALUE' AND b.ends[2] <> 'MAXVALUE'
      GROUP BY 1 ORDER BY pg_catalog.count(*) DESC, 1 LIMIT 1)
    WHEN a.atttypid IN ('timestamptz'::pg_catalog.regtype, 'timestamp'::pg_catalog.regtype,
      'date'::pg_catalog.regtype)
    THEN (
      SELECT (b.ends[2]::pg_catalog.timestamp - b.ends[1]::pg_catalog.timestamp)::pg_catalog.text
      FROM bound b
      WHERE b.inhparent = r.oid AND b.ends IS NOT NULL
        AND b.ends[1] NOT IN ('MINVALUE', '-infinity') AND b.ends[2] NOT IN ('MAXVALUE', 'infinity')
      GROUP BY 1 ORDER BY pg_catalog.count(*) DESC, 1 LIMIT 1)
  END,
  ARRAY(SELECT b.inhrelid::pg_catalog.int8 FROM bound b WHERE b.inhparent = r.oid),
  a.attnotnull
FROM pg_catalog.pg_class r
JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = r.oid
JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum = p.partattrs[0]
WHERE p.partstrat = 'r' AND p.partnatts = 1 AND NOT r.relispartition
