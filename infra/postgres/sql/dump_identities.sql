-- What the last entries of a dump make, by a name that two servers have in common. Left out is
-- what may be made again: the query of a view, and a trigger that a partition has of its parent.
WITH own_schema AS (
  SELECT oid FROM pg_catalog.pg_namespace
  WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND nspname !~ '^_?timescaledb_'
    AND (nspname = ANY (
      pg_catalog.string_to_array(pg_catalog.current_setting('slipway.left_alone', true), ','))) IS NOT TRUE
),
own_relation AS (
  SELECT c.oid, c.tableoid, c.relkind
  FROM pg_catalog.pg_class c
  JOIN own_schema n ON n.oid = c.relnamespace
),
made (catalog, oid) AS (
  SELECT tableoid, oid FROM own_relation WHERE relkind IN ('i', 'I', 'm')
  UNION ALL
  SELECT k.tableoid, k.oid
  FROM pg_catalog.pg_constraint k
  JOIN own_schema n ON n.oid = k.connamespace
  UNION ALL
  SELECT g.tableoid, g.oid
  FROM pg_catalog.pg_trigger g
  JOIN own_relation c ON c.oid = g.tgrelid
  WHERE NOT g.tgisinternal
    -- New in PostgreSQL 13.
    AND COALESCE(pg_catalog.to_jsonb(g) ->> 'tgparentid', '0') = '0'
  UNION ALL
  SELECT p.tableoid, p.oid
  FROM pg_catalog.pg_policy p
  JOIN own_relation c ON c.oid = p.polrelid
  UNION ALL
  SELECT r.tableoid, r.oid
  FROM pg_catalog.pg_rewrite r
  JOIN own_relation c ON c.oid = r.ev_class
  WHERE r.rulename <> '_RETURN'
  UNION ALL
  SELECT s.tableoid, s.oid
  FROM pg_catalog.pg_statistic_ext s
  JOIN own_schema n ON n.oid = s.stxnamespace
  UNION ALL
  SELECT p.tableoid, p.oid
  FROM pg_catalog.pg_proc p
  JOIN own_schema n ON n.oid = p.pronamespace
  UNION ALL
  SELECT tableoid, oid FROM pg_catalog.pg_publication
  UNION ALL
  SELECT tableoid, oid FROM pg_catalog.pg_publication_rel
  UNION ALL
  -- Publications of schemas are new in PostgreSQL 15.
  SELECT classid, objid
  FROM pg_catalog.pg_depend
  WHERE classid = pg_catalog.to_regclass('pg_catalog.pg_publication_namespace')
)
SELECT DISTINCT m.catalog::pg_catalog.int8, m.oid::pg_catalog.int8, i.type || ' ' || i.identity
FROM made m
CROSS JOIN LATERAL pg_catalog.pg_identify_object(m.catalog, m.oid, 0) i
WHERE i.identity IS NOT NULL
