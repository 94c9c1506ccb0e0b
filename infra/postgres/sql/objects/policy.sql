-- Policies of row-level security.
SELECT pg_catalog.quote_ident(p.polname) || ' on ' || c.name,
  pg_catalog.jsonb_build_object(
    'command', CASE p.polcmd
      WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update' WHEN 'd' THEN 'delete'
      ELSE 'all' END,
    'permissive', p.polpermissive,
    'roles', (
      SELECT pg_catalog.jsonb_agg(named.role ORDER BY named.role)
      FROM (
        SELECT CASE WHEN r.oid = 0 THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(r.oid) END AS role
        FROM pg_catalog.unnest(p.polroles) r (oid)
      ) named
    ),
    'using', pg_catalog.pg_get_expr(p.polqual, p.polrelid),
    'check', pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid),
    'comment', pg_catalog.obj_description(p.oid, 'pg_policy')
  )
FROM own_table c
JOIN pg_catalog.pg_policy p ON p.polrelid = c.oid
WHERE (p.tableoid, p.oid) NOT IN (SELECT classid, objid FROM platform_tie)
