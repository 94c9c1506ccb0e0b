-- Tablespaces that are attached to hypertables for their new chunks.
SELECT t.tablespace_name, t.hypertable_id FROM _timescaledb_catalog.tablespace t ORDER BY 1, 2
