-- Versions of the named extensions that the server can install, the default first.
SELECT v.name, v.version
FROM pg_catalog.pg_available_extension_versions v
JOIN pg_catalog.pg_available_extensions e ON e.name = v.name
WHERE v.name = ANY (%s)
ORDER BY v.name, v.version <> e.default_version,
  pg_catalog.regexp_replace(v.version, '[^0-9.].*', '') = '',
  pg_catalog.length(v.version), v.version
