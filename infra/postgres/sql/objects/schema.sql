-- Schemas.
SELECT n.name,
  pg_catalog.jsonb_build_object(
    'owner', pg_catalog.pg_get_userbyid(n.nspowner),
    'comment', pg_catalog.obj_description(n.oid, 'pg_namespace')
  )
FROM own_schema n
WHERE (n.tableoid, n.oid) NOT IN (SELECT classid, objid FROM member)
