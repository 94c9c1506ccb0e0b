-- What the platform's own things have of somebody's functions and tables, and would lose with them.
named AS (
  SELECT pg_catalog.pg_describe_object(d.classid, d.objid, 0) AS words
  FROM pg_catalog.pg_depend d
  JOIN homed h ON h.classid = d.classid AND h.objid = d.objid
  JOIN platform_schema s ON s.oid = h.namespace
  JOIN own_content o ON o.classid = d.refclassid AND o.objid = d.refobjid
)
SELECT DISTINCT words FROM named ORDER BY 1
