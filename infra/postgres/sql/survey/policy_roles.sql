-- Roles that row-level security policies name.
SELECT DISTINCT r.rolname
FROM pg_catalog.pg_policy p
JOIN pg_catalog.pg_roles r ON r.oid = ANY (p.polroles)
ORDER BY 1
