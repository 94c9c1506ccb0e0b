-- Extensions but the one that every database has, and those that are a platform's.
named AS (
  SELECT e.oid, e.extname, e.extversion, n.nspname
  FROM pg_catalog.pg_extension e
  JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
  WHERE e.extname <> 'plpgsql'
    AND e.oid NOT IN (SELECT oid FROM platform_extension)
)
SELECT extname, extversion, nspname FROM named ORDER BY oid
