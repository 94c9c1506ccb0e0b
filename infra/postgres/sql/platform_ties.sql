-- Foreign keys, triggers and policies of somebody's tables that need the platform, in words and as
-- a dump's table of contents begins them.
homed (classid, objid, namespace) AS (
  SELECT k.tableoid, k.oid, k.connamespace FROM pg_catalog.pg_constraint k WHERE k.conparentid = 0
  UNION ALL
  SELECT g.tableoid, g.oid, c.relnamespace
  FROM pg_catalog.pg_trigger g
  JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
  UNION ALL
  SELECT p.tableoid, p.oid, c.relnamespace
  FROM pg_catalog.pg_policy p
  JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
)
SELECT pg_catalog.pg_describe_object(t.classid, t.objid, 0),
  t.classid::pg_catalog.oid || ' ' || t.objid
FROM platform_tie t
JOIN homed h ON h.classid = t.classid AND h.objid = t.objid
WHERE h.namespace NOT IN (SELECT oid FROM platform_schema)
ORDER BY 1
