-- Event triggers that no extension brought.
SELECT e.evtname
FROM pg_catalog.pg_event_trigger e
WHERE NOT EXISTS (
  SELECT FROM pg_catalog.pg_depend d
  WHERE d.classid = 'pg_catalog.pg_event_trigger'::pg_catalog.regclass
    AND d.objid = e.oid AND d.deptype = 'e')
ORDER BY 1
