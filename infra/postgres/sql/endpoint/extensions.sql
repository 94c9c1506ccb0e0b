-- The extensions on offer, with their versions.
SELECT name, default_version, installed_version
FROM pg_catalog.pg_available_extensions
ORDER BY name
