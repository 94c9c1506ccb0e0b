-- The dimensions of hypertables, the first one first; not those that keep an aggregate's rows.
SELECT h.schema_name, h.table_name, d.column_name, d.column_type::pg_catalog.text,
  i.time_interval::pg_catalog.text, i.integer_interval,
  d.num_slices,
  CASE WHEN d.partitioning_func IS NOT NULL
    THEN d.partitioning_func_schema || '.' || d.partitioning_func END,
  CASE WHEN d.integer_now_func IS NOT NULL
    THEN pg_catalog.quote_ident(d.integer_now_func_schema) || '.'
      || pg_catalog.quote_ident(d.integer_now_func) END
FROM _timescaledb_catalog.hypertable h
JOIN _timescaledb_catalog.dimension d ON d.hypertable_id = h.id
JOIN timescaledb_information.dimensions i
  ON i.hypertable_schema = h.schema_name AND i.hypertable_name = h.table_name
  AND i.column_name = d.column_name
ORDER BY h.schema_name, h.table_name, i.dimension_number
