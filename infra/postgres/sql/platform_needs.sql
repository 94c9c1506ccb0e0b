-- What somebody made and what cannot be made anew without the platform.
named AS (
  SELECT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) AS words
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
)
SELECT DISTINCT words FROM named ORDER BY 1
