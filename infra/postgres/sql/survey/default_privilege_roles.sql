-- Roles whose new objects get default privileges.
SELECT DISTINCT r.rolname
FROM pg_catalog.pg_default_acl a
JOIN pg_catalog.pg_roles r ON r.oid = a.defaclrole
ORDER BY 1
