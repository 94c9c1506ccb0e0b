-- Extended statistics.
SELECT n.name || '.' || pg_catalog.quote_ident(s.stxname),
  pg_catalog.jsonb_build_object(
    'owner', pg_catalog.pg_get_userbyid(s.stxowner),
    'definition', pg_catalog.pg_get_statisticsobjdef(s.oid),
    'comment', pg_catalog.obj_description(s.oid, 'pg_statistic_ext')
  )
FROM pg_catalog.pg_statistic_ext s
JOIN own_schema n ON n.oid = s.stxnamespace
JOIN own_relation c ON c.oid = s.stxrelid
