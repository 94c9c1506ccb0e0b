-- Servers of other data, without their options.
SELECT s.srvname FROM pg_catalog.pg_foreign_server s ORDER BY 1
