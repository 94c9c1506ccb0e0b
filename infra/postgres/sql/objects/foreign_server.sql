-- Foreign servers without their options, which may hold passwords.
SELECT pg_catalog.quote_ident(s.srvname),
  pg_catalog.jsonb_build_object(
    'owner', pg_catalog.pg_get_userbyid(s.srvowner),
    'wrapper', w.fdwname,
    'type', s.srvtype,
    'version', s.srvversion
  )
FROM pg_catalog.pg_foreign_server s
JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw
WHERE (s.tableoid, s.oid) NOT IN (SELECT classid, objid FROM member)
