-- Operator families with the operators and functions of their classes.
SELECT n.name || '.' || pg_catalog.quote_ident(f.opfname) || ' using ' || m.amname,
  pg_catalog.jsonb_build_object(
    'owner', pg_catalog.pg_get_userbyid(f.opfowner),
    'definition', (
      SELECT pg_catalog.jsonb_agg(part.definition ORDER BY part.definition)
      FROM (
        SELECT 'OPERATOR ' || o.amopstrategy || ' ' || o.amopopr::pg_catalog.regoperator
          || CASE o.amoppurpose WHEN 'o' THEN ' FOR ORDER BY' ELSE '' END AS definition
        FROM pg_catalog.pg_amop o
        WHERE o.amopfamily = f.oid
        UNION ALL
        SELECT 'FUNCTION ' || p.amprocnum
          || ' (' || pg_catalog.format_type(p.amproclefttype, NULL)
          || ', ' || pg_catalog.format_type(p.amprocrighttype, NULL) || ') '
          || p.amproc::pg_catalog.regprocedure
        FROM pg_catalog.pg_amproc p
        WHERE p.amprocfamily = f.oid
      ) part
    ),
    'comment', pg_catalog.obj_description(f.oid, 'pg_opfamily')
  )
FROM pg_catalog.pg_opfamily f
JOIN own_schema n ON n.oid = f.opfnamespace
JOIN pg_catalog.pg_am m ON m.oid = f.opfmethod
WHERE (f.tableoid, f.oid) NOT IN (SELECT classid, objid FROM member)
