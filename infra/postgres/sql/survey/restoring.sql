-- Settings that hold this database, or a role in it, in TimescaleDB's restoring mode.
SELECT entry
FROM pg_catalog.pg_db_role_setting s
CROSS JOIN pg_catalog.unnest(s.setconfig) entry
WHERE s.setdatabase IN (
    0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))
  AND entry ~* '^timescaledb\.restoring=(on?|t(r(ue?)?)?|y(es?)?|1)$'
UNION ALL
SELECT 'session'
WHERE pg_catalog.current_setting('timescaledb.restoring', true) = 'on'
