-- Extensions.
SELECT pg_catalog.quote_ident(e.extname),
  pg_catalog.jsonb_build_object('version', e.extversion, 'schema', n.nspname)
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
-- What a hosting platform brings along is not counted, unless somebody's own is made of it.
WHERE (e.extname <> ALL ('{neon,neon_utils,pg_graphql,pg_net,pgjwt,pgsodium,supabase_vault,wrappers}')
    OR EXISTS (
      SELECT FROM pg_catalog.pg_depend m
      JOIN pg_catalog.pg_depend d ON d.refclassid = m.classid AND d.refobjid = m.objid
        AND d.deptype = 'n'
      WHERE m.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
        AND m.refobjid = e.oid AND m.deptype = 'e'
        AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_depend o
          WHERE o.classid = d.classid AND o.objid = d.objid AND o.deptype = 'e')))
