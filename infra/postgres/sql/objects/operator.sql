-- Operators.
SELECT n.name || '.' || o.oprname || '('
    || COALESCE(pg_catalog.format_type(NULLIF(o.oprleft, 0), NULL), 'NONE') || ', '
    || COALESCE(pg_catalog.format_type(NULLIF(o.oprright, 0), NULL), 'NONE') || ')',
  pg_catalog.jsonb_build_object(
    'owner', pg_catalog.pg_get_userbyid(o.oprowner),
    'definition', pg_catalog.concat_ws(', ',
      'FUNCTION = ' || o.oprcode,
      'COMMUTATOR = ' || NULLIF(o.oprcom, 0)::pg_catalog.regoperator,
      'NEGATOR = ' || NULLIF(o.oprnegate, 0)::pg_catalog.regoperator,
      'RESTRICT = ' || NULLIF(o.oprrest::pg_catalog.oid, 0)::pg_catalog.regproc,
      'JOIN = ' || NULLIF(o.oprjoin::pg_catalog.oid, 0)::pg_catalog.regproc,
      CASE WHEN o.oprcanhash THEN 'HASHES' END,
      CASE WHEN o.oprcanmerge THEN 'MERGES' END
    ),
    'comment', pg_catalog.obj_description(o.oid, 'pg_operator')
  )
FROM pg_catalog.pg_operator o
JOIN own_schema n ON n.oid = o.oprnamespace
WHERE (o.tableoid, o.oid) NOT IN (SELECT classid, objid FROM member)
