-- Foreign data wrappers without their options, which may hold passwords.
SELECT pg_catalog.quote_ident(w.fdwname),
  pg_catalog.jsonb_build_object('owner', pg_catalog.pg_get_userbyid(w.fdwowner))
FROM pg_catalog.pg_foreign_data_wrapper w
WHERE (w.tableoid, w.oid) NOT IN (SELECT classid, objid FROM member)
