-- Tablespaces other than the default that hold something of this database.
SELECT DISTINCT s.spcname
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace
WHERE c.oid >= 16384
ORDER BY 1
