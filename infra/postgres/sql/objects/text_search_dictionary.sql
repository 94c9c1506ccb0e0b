-- Text search dictionaries.
SELECT n.name || '.' || pg_catalog.quote_ident(d.dictname),
  pg_catalog.jsonb_build_object(
    'owner', pg_catalog.pg_get_userbyid(d.dictowner),
    'definition', pg_catalog.concat_ws(', ',
      'TEMPLATE = ' || pg_catalog.quote_ident(s.nspname) || '.'
        || pg_catalog.quote_ident(t.tmplname),
      d.dictinitoption
    ),
    'comment', pg_catalog.obj_description(d.oid, 'pg_ts_dict')
  )
FROM pg_catalog.pg_ts_dict d
JOIN own_schema n ON n.oid = d.dictnamespace
JOIN pg_catalog.pg_ts_template t ON t.oid = d.dicttemplate
JOIN pg_catalog.pg_namespace s ON s.oid = t.tmplnamespace
WHERE (d.tableoid, d.oid) NOT IN (SELECT classid, objid FROM member)
