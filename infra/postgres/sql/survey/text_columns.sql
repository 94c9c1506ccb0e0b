-- Columns whose text form may hold any byte, of tables that this role may read; a table stands for
-- its partitions and chunks. The parameter holds the hypertables.
SELECT c.oid::pg_catalog.regclass::pg_catalog.text, n.nspname, c.relname, a.attname
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
WHERE c.oid >= 16384
  AND c.relkind IN ('r', 'p')
  AND NOT c.relispartition
  AND c.relpersistence <> 't'
  AND (n.nspname !~ '^_timescaledb_' OR c.oid = ANY (%s::pg_catalog.oid[]))
  AND a.attnum > 0
  AND NOT a.attisdropped
  AND NOT a.atttypid = ANY ('{bool,bytea,int2,int4,int8,oid,float4,float8,numeric,date,time,timetz,
    timestamp,timestamptz,interval,uuid,inet,cidr,macaddr,macaddr8,bit,varbit}'::pg_catalog.regtype[])
  AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
ORDER BY 1, a.attnum
