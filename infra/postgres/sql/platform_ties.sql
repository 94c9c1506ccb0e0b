-- Foreign keys, triggers and policies of somebody's tables that need the platform, in words and as
-- a dump's table of contents begins them.
named AS (
  SELECT pg_catalog.pg_describe_object(t.classid, t.objid, 0) AS words,
    t.classid::pg_catalog.oid || ' ' || t.objid AS entry
  FROM platform_tie t
  JOIN homed h ON h.classid = t.classid AND h.objid = t.objid
  WHERE h.namespace NOT IN (SELECT oid FROM platform_schema)
)
SELECT words, entry FROM named ORDER BY 1
