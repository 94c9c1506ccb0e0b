-- Materialized views, but continuous aggregates.
SELECT c.name,
  pg_catalog.jsonb_build_object(
    'owner', pg_catalog.pg_get_userbyid(c.relowner),
    'definition', pg_catalog.pg_get_viewdef(c.oid),
    'columns', columns.list,
    'column_comments', columns.comments,
    'options', pg_catalog.to_jsonb(c.reloptions),
    'populated', c.relispopulated,
    'comment', pg_catalog.obj_description(c.oid, 'pg_class')
  )
FROM own_relation c
LEFT JOIN view_columns columns ON columns.oid = c.oid
WHERE c.relkind = 'm'
