-- Subscriptions of this database; their connection strings hold passwords and are not read.
SELECT s.subname
FROM pg_catalog.pg_subscription s
WHERE s.subdbid = (
  SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
ORDER BY 1
