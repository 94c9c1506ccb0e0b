-- Operator classes.
SELECT n.name || '.' || pg_catalog.quote_ident(o.opcname) || ' using ' || m.amname,
  pg_catalog.jsonb_build_object(
    'owner', pg_catalog.pg_get_userbyid(o.opcowner),
    'definition', 'FOR TYPE ' || pg_catalog.format_type(o.opcintype, NULL)
      || ' FAMILY ' || pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(f.opfname)
      || CASE WHEN o.opcdefault THEN ' DEFAULT' ELSE '' END
      || COALESCE(' STORAGE ' || pg_catalog.format_type(NULLIF(o.opckeytype, 0), NULL), ''),
    'comment', pg_catalog.obj_description(o.oid, 'pg_opclass')
  )
FROM pg_catalog.pg_opclass o
JOIN own_schema n ON n.oid = o.opcnamespace
JOIN pg_catalog.pg_am m ON m.oid = o.opcmethod
JOIN pg_catalog.pg_opfamily f ON f.oid = o.opcfamily
JOIN pg_catalog.pg_namespace s ON s.oid = f.opfnamespace
WHERE (o.tableoid, o.oid) NOT IN (SELECT classid, objid FROM member)
