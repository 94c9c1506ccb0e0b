-- Triggers, but those that repeat a partitioned table's for a partition.
SELECT pg_catalog.quote_ident(t.tgname) || ' on ' || c.name,
  pg_catalog.jsonb_build_object(
    -- As PostgreSQL 12 began to say it.
    'definition', pg_catalog.replace(
      pg_catalog.pg_get_triggerdef(t.oid), ' EXECUTE PROCEDURE ', ' EXECUTE FUNCTION '
    ),
    'enabled', CASE t.tgenabled
      WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' ELSE 'origin' END,
    'comment', pg_catalog.obj_description(t.oid, 'pg_trigger')
  )
FROM own_relation c
JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE NOT t.tgisinternal
  AND (t.tableoid, t.oid) NOT IN (SELECT classid, objid FROM platform_tie)
  AND COALESCE(pg_catalog.to_jsonb(t) ->> 'tgparentid', '0') = '0'
  -- TimescaleDB keeps people off a hypertable's root and logs changes by triggers.
  AND n.nspname !~ '^_?timescaledb_'
