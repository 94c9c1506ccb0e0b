-- Settings of the database, for everybody or for one role.
SELECT s.name || COALESCE(' for ' || pg_catalog.quote_ident(s.role), ''),
  pg_catalog.jsonb_build_object(
    'setting', s.name, 'role', COALESCE(s.role, ''), 'value', s.value
  )
FROM (
  SELECT pg_catalog.split_part(stored.setting, '=', 1) AS name,
    pg_catalog.substr(stored.setting, pg_catalog.strpos(stored.setting, '=') + 1) AS value,
    CASE WHEN r.setrole <> 0 THEN pg_catalog.pg_get_userbyid(r.setrole) END AS role
  FROM pg_catalog.pg_db_role_setting r
  JOIN pg_catalog.pg_database d ON d.oid = r.setdatabase
  CROSS JOIN LATERAL pg_catalog.unnest(r.setconfig) stored (setting)
  WHERE d.datname = pg_catalog.current_database()
) s
-- A restore sets this one for as long as it takes.
WHERE s.name <> 'timescaledb.restoring'
