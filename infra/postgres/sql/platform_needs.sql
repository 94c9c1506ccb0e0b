-- What somebody made and what cannot be made anew without the platform.
homed (classid, objid, namespace) AS (
  SELECT tableoid, oid, relnamespace FROM pg_catalog.pg_class
  UNION ALL
  SELECT tableoid, oid, pronamespace FROM pg_catalog.pg_proc
  UNION ALL
  SELECT tableoid, oid, typnamespace FROM pg_catalog.pg_type
  UNION ALL
  SELECT tableoid, oid, connamespace FROM pg_catalog.pg_constraint
  UNION ALL
  SELECT w.tableoid, w.oid, c.relnamespace
  FROM pg_catalog.pg_rewrite w
  JOIN pg_catalog.pg_class c ON c.oid = w.ev_class
  UNION ALL
  SELECT a.tableoid, a.oid, c.relnamespace
  FROM pg_catalog.pg_attrdef a
  JOIN pg_catalog.pg_class c ON c.oid = a.adrelid
)
SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)
FROM pg_catalog.pg_depend d
JOIN platform_object f ON f.classid = d.refclassid AND f.objid = d.refobjid
JOIN homed h ON h.classid = d.classid AND h.objid = d.objid
JOIN pg_catalog.pg_namespace n ON n.oid = h.namespace
WHERE n.nspname !~ '^pg_'
  AND n.oid NOT IN (SELECT oid FROM platform_schema)
  AND (d.classid, d.objid) NOT IN (SELECT classid, objid FROM platform_tie)
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend e
    WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e')
ORDER BY 1
