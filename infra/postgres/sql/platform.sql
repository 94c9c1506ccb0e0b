-- What a hosting platform keeps in the database: its schemas, as the session knows them, what lies
-- in them and is no extension's, its roles, and what belongs to somebody's tables and needs any of
-- these. Elsewhere all of it is empty.
platform_schema AS (
  SELECT n.oid
  FROM pg_catalog.pg_namespace n
  WHERE n.nspname = ANY (
    pg_catalog.string_to_array(pg_catalog.current_setting('slipway.left_alone', true), ','))
),
platform_object (classid, objid) AS (
  SELECT o.classid, o.objid
  FROM (
    SELECT tableoid, oid, relnamespace FROM pg_catalog.pg_class
    UNION ALL
    SELECT tableoid, oid, pronamespace FROM pg_catalog.pg_proc
    UNION ALL
    SELECT tableoid, oid, typnamespace FROM pg_catalog.pg_type
  ) o (classid, objid, namespace)
  JOIN platform_schema n ON n.oid = o.namespace
  WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = o.classid AND d.objid = o.objid AND d.deptype = 'e')
),
platform_role AS (
  SELECT r.oid
  FROM pg_catalog.pg_roles r
  WHERE EXISTS (SELECT FROM platform_schema)
    AND (r.rolname IN ('anon', 'authenticated', 'authenticator', 'dashboard_user', 'service_role')
      OR r.rolname ~ '^supabase_')
),
platform_tie (classid, objid) AS (
  SELECT k.tableoid, k.oid
  FROM pg_catalog.pg_constraint k
  JOIN platform_object f ON f.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND f.objid = k.confrelid
  WHERE k.contype = 'f'
  UNION ALL
  SELECT g.tableoid, g.oid
  FROM pg_catalog.pg_trigger g
  JOIN platform_object f ON f.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
    AND f.objid = g.tgfoid
  WHERE NOT g.tgisinternal
  UNION ALL
  SELECT p.tableoid, p.oid
  FROM pg_catalog.pg_policy p
  WHERE EXISTS (SELECT FROM platform_role r WHERE r.oid = ANY (p.polroles))
    OR EXISTS (
      SELECT FROM pg_catalog.pg_depend d
      JOIN platform_object f ON f.classid = d.refclassid AND f.objid = d.refobjid
      WHERE d.classid = p.tableoid AND d.objid = p.oid)
),
-- Extensions that something is made of which no extension brought: what a view or a default of an
-- extension's own table needs is the extension's too.
used_extension AS (
  SELECT DISTINCT m.refobjid AS oid
  FROM pg_catalog.pg_depend m
  JOIN pg_catalog.pg_depend d ON d.refclassid = m.classid AND d.refobjid = m.objid
    AND d.deptype = 'n'
  LEFT JOIN pg_catalog.pg_rewrite w ON w.tableoid = d.classid AND w.oid = d.objid
  LEFT JOIN pg_catalog.pg_attrdef a ON a.tableoid = d.classid AND a.oid = d.objid
  WHERE m.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
    AND m.deptype = 'e'
    AND (d.classid, d.objid) NOT IN (SELECT classid, objid FROM platform_object)
    AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend o
      WHERE o.deptype = 'e'
        AND ((o.classid, o.objid) = (d.classid, d.objid)
          OR o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
            AND o.objid IN (w.ev_class, a.adrelid)))
),
-- What a platform brings along, unless somebody's own is made of it.
platform_extension AS (
  SELECT e.oid, e.extname
  FROM pg_catalog.pg_extension e
  WHERE (e.extnamespace IN (SELECT oid FROM platform_schema)
      OR e.extname IN ('neon', 'neon_utils', 'pg_graphql', 'pg_net', 'pgjwt', 'pgsodium',
        'supabase_vault', 'wrappers'))
    AND e.oid NOT IN (SELECT oid FROM used_extension)
),
-- In which schema things are at home that are objects of their own or parts of a table.
homed (classid, objid, namespace) AS (
  SELECT tableoid, oid, relnamespace FROM pg_catalog.pg_class
  UNION ALL
  SELECT tableoid, oid, pronamespace FROM pg_catalog.pg_proc
  UNION ALL
  SELECT tableoid, oid, typnamespace FROM pg_catalog.pg_type
  UNION ALL
  SELECT tableoid, oid, connamespace FROM pg_catalog.pg_constraint WHERE conparentid = 0
  UNION ALL
  SELECT part.classid, part.objid, c.relnamespace
  FROM (
    SELECT tableoid, oid, tgrelid FROM pg_catalog.pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT tableoid, oid, polrelid FROM pg_catalog.pg_policy
    UNION ALL
    SELECT tableoid, oid, ev_class FROM pg_catalog.pg_rewrite
    UNION ALL
    SELECT tableoid, oid, adrelid FROM pg_catalog.pg_attrdef
  ) part (classid, objid, relation)
  JOIN pg_catalog.pg_class c ON c.oid = part.relation
),
