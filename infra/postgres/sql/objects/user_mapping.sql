-- User mappings of foreign servers without their options, which hold passwords.
SELECT CASE WHEN m.umuser = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(m.usename) END
    || ' on ' || pg_catalog.quote_ident(m.srvname),
  pg_catalog.jsonb_build_object()
FROM pg_catalog.pg_user_mappings m
