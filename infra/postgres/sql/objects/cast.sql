-- Casts made by somebody; those with a lower number came with the server.
SELECT pg_catalog.format_type(c.castsource, NULL) || ' AS '
    || pg_catalog.format_type(c.casttarget, NULL),
  pg_catalog.jsonb_build_object(
    'definition', CASE c.castmethod
        WHEN 'f' THEN 'WITH FUNCTION ' || c.castfunc::pg_catalog.regprocedure
        WHEN 'i' THEN 'WITH INOUT'
        ELSE 'WITHOUT FUNCTION' END
      || CASE c.castcontext WHEN 'i' THEN ' AS IMPLICIT' WHEN 'a' THEN ' AS ASSIGNMENT' ELSE '' END,
    'comment', pg_catalog.obj_description(c.oid, 'pg_cast')
  )
FROM pg_catalog.pg_cast c
WHERE c.oid >= 16384
  -- Neither an extension's nor the one from a range type to its multirange type.
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = c.tableoid AND d.objid = c.oid AND d.deptype IN ('e', 'i')
  )
