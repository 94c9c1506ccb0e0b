-- What the platform's own tables have of somebody's functions and tables, and would lose with them.
homed (classid, objid, namespace) AS (
  SELECT k.tableoid, k.oid, k.connamespace FROM pg_catalog.pg_constraint k WHERE k.conparentid = 0
  UNION ALL
  SELECT g.tableoid, g.oid, c.relnamespace
  FROM pg_catalog.pg_trigger g
  JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
  WHERE NOT g.tgisinternal
  UNION ALL
  SELECT w.tableoid, w.oid, c.relnamespace
  FROM pg_catalog.pg_rewrite w
  JOIN pg_catalog.pg_class c ON c.oid = w.ev_class
)
SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, 0)
FROM pg_catalog.pg_depend d
JOIN homed h ON h.classid = d.classid AND h.objid = d.objid
JOIN platform_schema s ON s.oid = h.namespace
JOIN own_content o ON o.classid = d.refclassid AND o.objid = d.refobjid
ORDER BY 1
