-- A platform's own publications, which begin with its name.
named AS (
  SELECT p.pubname
  FROM pg_catalog.pg_publication p
  WHERE p.pubname ~ '^supabase_' AND EXISTS (SELECT FROM platform_schema)
)
SELECT pubname FROM named ORDER BY 1
