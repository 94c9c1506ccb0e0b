-- Event triggers that no extension brought.
SELECT e.evtname
FROM pg_catalog.pg_event_trigger e
WHERE NOT EXISTS (
  SELECT FROM pg_catalog.pg_depend d
  WHERE d.classid = 'pg_catalog.pg_event_trigger'::pg_catalog.regclass
    AND d.objid = e.oid AND d.deptype = 'e')
  AND NOT (pg_catalog.pg_get_userbyid(e.evtowner) ~ '^supabase_'
    AND COALESCE(pg_catalog.current_setting('slipway.left_alone', true), '') <> '')
ORDER BY 1
