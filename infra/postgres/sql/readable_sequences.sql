-- Sequences whose state the role may read, with what a query calls them by.
SELECT c.name, c.nspname, c.relname
FROM own_relation c
WHERE c.relkind = 'S'
  AND pg_catalog.has_schema_privilege(c.nspname, 'USAGE')
  AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
