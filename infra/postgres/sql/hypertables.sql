-- Hypertables with the number of their chunks; only where TimescaleDB is installed.
SELECT hypertable_schema, hypertable_name, num_chunks
FROM timescaledb_information.hypertables
ORDER BY 1, 2
