-- Who logs in at which foreign server; the options hold passwords and are not read.
SELECT m.usename || ' at ' || m.srvname FROM pg_catalog.pg_user_mappings m ORDER BY 1
