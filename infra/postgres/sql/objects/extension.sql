-- Extensions.
SELECT pg_catalog.quote_ident(e.extname),
  pg_catalog.jsonb_build_object('version', e.extversion, 'schema', n.nspname)
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
WHERE e.oid NOT IN (SELECT oid FROM platform_extension)
