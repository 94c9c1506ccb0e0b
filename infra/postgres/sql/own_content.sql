-- What somebody made in a database and no extension brought: what lies in a schema, by its own
-- entry in the schema, and the schemas but `public`.
own_content (classid, objid) AS (
  SELECT DISTINCT d.classid, d.objid
  FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_namespace n ON d.refclassid = n.tableoid AND d.refobjid = n.oid
  WHERE d.deptype = 'n'
    AND d.classid <> 'pg_catalog.pg_default_acl'::pg_catalog.regclass
    AND d.classid <> 'pg_catalog.pg_extension'::pg_catalog.regclass
    AND n.nspname !~ '^pg_'
    AND n.nspname <> 'information_schema'
    AND n.oid NOT IN (SELECT oid FROM platform_schema)
    AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend e
      -- An extension's, or a part of something else: the sequence of an identity, a multirange.
      WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype IN ('e', 'i')
        -- A partitioned table holds on to its key.
        AND (e.refclassid, e.refobjid) <> (e.classid, e.objid))
  UNION
  SELECT n.tableoid, n.oid
  FROM pg_catalog.pg_namespace n
  WHERE n.nspname !~ '^pg_'
    AND n.nspname NOT IN ('information_schema', 'public')
    AND n.oid NOT IN (SELECT oid FROM platform_schema)
    AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend e
      WHERE (e.classid, e.objid) = (n.tableoid, n.oid) AND e.deptype = 'e'
        OR (e.refclassid, e.refobjid) = (n.tableoid, n.oid)
          AND e.classid = 'pg_catalog.pg_extension'::pg_catalog.regclass)
),
