-- The kind and the name of each, the schemas last.
named AS (
  SELECT pg_catalog.upper(i.type) AS kind, i.identity
  FROM own_content o
  CROSS JOIN LATERAL pg_catalog.pg_identify_object(o.classid, o.objid, 0) i
)
SELECT kind, identity FROM named ORDER BY kind = 'SCHEMA', kind, identity
