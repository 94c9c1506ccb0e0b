-- Extensions that something is made of which no extension brought.
SELECT DISTINCT e.extname
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_depend m ON m.refclassid = e.tableoid AND m.refobjid = e.oid
  AND m.deptype = 'e'
JOIN pg_catalog.pg_depend d ON d.refclassid = m.classid AND d.refobjid = m.objid
  AND d.deptype = 'n'
WHERE NOT EXISTS (
  SELECT FROM pg_catalog.pg_depend o
  WHERE o.classid = d.classid AND o.objid = d.objid AND o.deptype = 'e')
