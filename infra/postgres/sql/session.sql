-- No time limits; the last one is known from version 17 on.
SELECT pg_catalog.set_config(s.name, '0', false)
FROM pg_catalog.pg_settings s
WHERE s.name IN ('statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')
UNION ALL
-- What a hosting platform keeps in the database, for the queries that leave it alone: the schemas
-- that the parameter has for its role, and whatever else belongs to a role of Supabase's.
SELECT pg_catalog.set_config('slipway.left_alone', (
  SELECT COALESCE(pg_catalog.string_agg(n.nspname, ',' ORDER BY n.nspname), '')
  FROM pg_catalog.pg_namespace n
  JOIN pg_catalog.pg_roles o ON o.oid = n.nspowner
  WHERE EXISTS (
    SELECT FROM pg_catalog.jsonb_each(%s::pg_catalog.jsonb) known (role, schemas)
    JOIN pg_catalog.pg_roles r ON r.rolname = known.role
    WHERE known.schemas ? n.nspname::pg_catalog.text
      OR known.role ~ '^supabase_' AND o.rolname ~ '^supabase_'
        AND n.nspname !~ '^(pg_|public$|information_schema$)')
), false)
