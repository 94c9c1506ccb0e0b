-- The database itself, whatever it is called.
SELECT '',
  pg_catalog.jsonb_build_object('comment', pg_catalog.shobj_description(d.oid, 'pg_database'))
FROM pg_catalog.pg_database d
WHERE d.datname = pg_catalog.current_database()
