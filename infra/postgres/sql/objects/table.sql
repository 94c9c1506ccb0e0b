-- Tables: ordinary, partitioned and foreign ones, partitions included.
SELECT c.name,
  pg_catalog.jsonb_build_object(
    'owner', pg_catalog.pg_get_userbyid(c.relowner),
    'persistence', CASE c.relpersistence WHEN 'u' THEN 'unlogged' ELSE 'permanent' END,
    'kind', CASE c.relkind
      WHEN 'p' THEN 'partitioned' WHEN 'f' THEN 'foreign' ELSE 'ordinary' END,
    'partition_key', pg_catalog.pg_get_partkeydef(c.oid),
    'partition_bound', pg_catalog.pg_get_expr(c.relpartbound, c.oid),
    'inherits', (
      SELECT pg_catalog.jsonb_agg(i.inhparent::pg_catalog.regclass ORDER BY i.inhseqno)
      FROM pg_catalog.pg_inherits i
      WHERE i.inhrelid = c.oid
    ),
    'server', (
      SELECT s.srvname
      FROM pg_catalog.pg_foreign_table f
      JOIN pg_catalog.pg_foreign_server s ON s.oid = f.ftserver
      WHERE f.ftrelid = c.oid
    ),
    'row_security', c.relrowsecurity,
    'row_security_forced', c.relforcerowsecurity,
    'options', (
      SELECT pg_catalog.jsonb_agg(stored.option ORDER BY stored.option)
      FROM (
        SELECT pg_catalog.unnest(c.reloptions) AS option
        UNION ALL
        SELECT 'toast.' || pg_catalog.unnest(t.reloptions)
        FROM pg_catalog.pg_class t
        WHERE t.oid = c.reltoastrelid
      ) stored
    ),
    'replica_identity', CASE c.relreplident
      WHEN 'n' THEN 'nothing' WHEN 'f' THEN 'full' WHEN 'i' THEN 'index' ELSE 'default' END,
    'comment', pg_catalog.obj_description(c.oid, 'pg_class')
  )
FROM own_table c
