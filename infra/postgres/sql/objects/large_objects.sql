-- Large objects, all together; one that the role may not read is counted and no more.
SELECT '',
  pg_catalog.jsonb_build_object(
    'count', pg_catalog.count(*),
    'digest', pg_catalog.sum(
      pg_catalog.hashtextextended(
        o.oid || ':' || pg_catalog.md5(pg_catalog.lo_get(o.oid)), 0
      )::pg_catalog.numeric
    ) FILTER (WHERE o.readable)::pg_catalog.text,
    'unreadable', pg_catalog.count(*) FILTER (WHERE NOT o.readable)
  )
FROM (
  SELECT l.oid,
    pg_catalog.pg_has_role(l.lomowner, 'USAGE') OR EXISTS (
      SELECT FROM pg_catalog.aclexplode(l.lomacl) g
      WHERE g.privilege_type = 'SELECT'
        AND (g.grantee = 0 OR pg_catalog.pg_has_role(g.grantee, 'USAGE'))
    ) AS readable
  FROM pg_catalog.pg_largeobject_metadata l
) o
HAVING pg_catalog.count(*) > 0
