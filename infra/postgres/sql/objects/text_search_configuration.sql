-- Text search configurations.
SELECT n.name || '.' || pg_catalog.quote_ident(c.cfgname),
  pg_catalog.jsonb_build_object(
    'owner', pg_catalog.pg_get_userbyid(c.cfgowner),
    'definition', (
      SELECT 'PARSER ' || pg_catalog.quote_ident(s.nspname) || '.'
        || pg_catalog.quote_ident(p.prsname)
      FROM pg_catalog.pg_ts_parser p
      JOIN pg_catalog.pg_namespace s ON s.oid = p.prsnamespace
      WHERE p.oid = c.cfgparser
    ) || COALESCE((
      SELECT pg_catalog.string_agg(
        '; ' || t.alias || ' ' || d.mapseqno || ' ' || d.mapdict::pg_catalog.regdictionary, ''
        ORDER BY t.alias, d.mapseqno
      )
      FROM pg_catalog.pg_ts_config_map d
      JOIN pg_catalog.ts_token_type(c.cfgparser) t ON t.tokid = d.maptokentype
      WHERE d.mapcfg = c.oid
    ), ''),
    'comment', pg_catalog.obj_description(c.oid, 'pg_ts_config')
  )
FROM pg_catalog.pg_ts_config c
JOIN own_schema n ON n.oid = c.cfgnamespace
WHERE (c.tableoid, c.oid) NOT IN (SELECT classid, objid FROM member)
