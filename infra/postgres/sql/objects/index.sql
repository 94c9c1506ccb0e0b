-- Indexes, those of constraints and partitions included.
SELECT pg_catalog.quote_ident(c.nspname) || '.' || pg_catalog.quote_ident(i.relname),
  pg_catalog.jsonb_build_object(
    'definition', pg_catalog.pg_get_indexdef(x.indexrelid),
    'valid', x.indisvalid,
    'ready', x.indisready,
    'clustered', x.indisclustered,
    'replica_identity', x.indisreplident,
    'comment', pg_catalog.obj_description(i.oid, 'pg_class')
  )
FROM own_relation c
JOIN pg_catalog.pg_index x ON x.indrelid = c.oid
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
