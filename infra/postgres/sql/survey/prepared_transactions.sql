-- Transactions of this database that wait for a COMMIT PREPARED.
SELECT x.gid
FROM pg_catalog.pg_prepared_xacts x
WHERE x.database = pg_catalog.current_database()
ORDER BY 1
