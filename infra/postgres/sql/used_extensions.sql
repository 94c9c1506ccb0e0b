-- Extensions that something of somebody's own is made of.
named AS (
  SELECT e.extname
  FROM pg_catalog.pg_extension e
  JOIN used_extension u ON u.oid = e.oid
)
SELECT extname FROM named ORDER BY 1
