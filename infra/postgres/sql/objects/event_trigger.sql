-- Event triggers.
SELECT pg_catalog.quote_ident(t.evtname),
  pg_catalog.jsonb_build_object(
    'owner', pg_catalog.pg_get_userbyid(t.evtowner),
    'event', t.evtevent,
    'function', t.evtfoid::pg_catalog.regproc,
    'tags', pg_catalog.to_jsonb(t.evttags),
    'enabled', CASE t.evtenabled
      WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' ELSE 'origin' END,
    'comment', pg_catalog.obj_description(t.oid, 'pg_event_trigger')
  )
FROM pg_catalog.pg_event_trigger t
WHERE (t.tableoid, t.oid) NOT IN (SELECT classid, objid FROM member)
  AND t.evtowner NOT IN (SELECT oid FROM platform_role)
