-- Publications of tables by name; those of schemas are left out by whoever knows the version.
SELECT p.pubname
FROM pg_catalog.pg_publication p
WHERE NOT p.puballtables
  -- A platform's own ones begin with its name.
  AND NOT (p.pubname ~ '^supabase_'
    AND COALESCE(pg_catalog.current_setting('slipway.left_alone', true), '') <> '')
ORDER BY 1
