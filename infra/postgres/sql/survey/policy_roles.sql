-- Roles that row-level security policies name.
named AS (
  SELECT r.rolname
  FROM pg_catalog.pg_policy p
  JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
  JOIN pg_catalog.pg_roles r ON r.oid = ANY (p.polroles)
  WHERE c.relnamespace NOT IN (SELECT oid FROM platform_schema)
    AND (p.tableoid, p.oid) NOT IN (SELECT classid, objid FROM platform_tie)
)
SELECT DISTINCT rolname FROM named ORDER BY 1
