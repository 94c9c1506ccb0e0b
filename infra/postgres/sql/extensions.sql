-- Extensions but the one that every database has.
SELECT e.extname, e.extversion, n.nspname
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname <> 'plpgsql'
  -- What a hosting platform brings along, unless somebody's own is made of it.
  AND (e.extname <> ALL ('{neon,neon_utils,pg_graphql,pg_net,pgjwt,pgsodium,supabase_vault,wrappers}')
    OR EXISTS (
      SELECT FROM pg_catalog.pg_depend m
      JOIN pg_catalog.pg_depend d ON d.refclassid = m.classid AND d.refobjid = m.objid
        AND d.deptype = 'n'
      WHERE m.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
        AND m.refobjid = e.oid AND m.deptype = 'e'
        AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_depend o
          WHERE o.classid = d.classid AND o.objid = d.objid AND o.deptype = 'e')))
ORDER BY e.oid
