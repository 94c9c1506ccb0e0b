-- Sequences; their state is in themselves.
SELECT c.name,
  pg_catalog.jsonb_build_object(
    'owner', pg_catalog.pg_get_userbyid(c.relowner),
    'data_type', pg_catalog.format_type(s.seqtypid, NULL),
    'start', s.seqstart,
    'increment', s.seqincrement,
    'min', s.seqmin,
    'max', s.seqmax,
    'cache', s.seqcache,
    'cycle', s.seqcycle,
    'owned_by', (
      SELECT d.refobjid::pg_catalog.regclass || '.' || pg_catalog.quote_ident(a.attname)
      FROM pg_catalog.pg_depend d
      JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.objid = c.oid
        AND d.refclassid = d.classid
        AND d.deptype IN ('a', 'i')
    ),
    'comment', pg_catalog.obj_description(c.oid, 'pg_class')
  )
FROM own_relation c
JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
