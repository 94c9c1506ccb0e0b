-- Bytes of all indexes when they are built anew: the entries of a btree lie nine tenths full, while
-- rows that came in order of time left its pages half empty.
SELECT COALESCE(pg_catalog.sum(LEAST(x.now, x.anew)), 0)::pg_catalog.int8
FROM (
  SELECT pg_catalog.pg_relation_size(c.oid) AS now,
    CASE WHEN a.amname = 'btree' AND c.reltuples > 0 THEN
      -- Two pages besides; an entry has a header and a pointer, and its key is aligned.
      16384 + c.reltuples / 0.9 * (12 + 8 * pg_catalog.ceil(
        (SELECT pg_catalog.sum(CASE WHEN k.attlen > 0 THEN k.attlen ELSE COALESCE(s.avg_width, 16) END)
          FROM pg_catalog.pg_attribute k
          LEFT JOIN pg_catalog.pg_stats s ON k.attlen < 0
            AND s.schemaname = n.nspname AND s.tablename = t.relname AND s.attname = k.attname
          WHERE k.attrelid = c.oid) / 8.0)) END AS anew
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_am a ON a.oid = c.relam
  JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
  WHERE c.oid >= 16384 AND c.relkind = 'i' AND n.nspname <> 'pg_toast'
    AND (n.nspname = ANY (
      pg_catalog.string_to_array(pg_catalog.current_setting('slipway.left_alone', true), ','))) IS NOT TRUE
    AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.objid = t.oid AND d.deptype = 'e')
) x
