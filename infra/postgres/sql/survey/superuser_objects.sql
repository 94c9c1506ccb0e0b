-- Objects of no extension that only a superuser may make.
WITH RECURSIVE special (class, oid) AS (
  SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid, p.oid
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  -- An aggregate's language says nothing; it is made of other functions.
  WHERE (NOT l.lanpltrusted AND p.prokind <> 'a') OR p.proleakproof
  UNION ALL
  SELECT 'pg_catalog.pg_type'::pg_catalog.regclass::pg_catalog.oid, t.oid
  FROM pg_catalog.pg_type t
  WHERE t.typtype = 'b'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = t.oid)
  UNION ALL
  SELECT 'pg_catalog.pg_cast'::pg_catalog.regclass::pg_catalog.oid, c.oid
  FROM pg_catalog.pg_cast c
  WHERE c.castmethod = 'b'
    -- Or between types of the system and of extensions, which belong to superusers.
    OR NOT EXISTS (
      SELECT FROM pg_catalog.pg_type t
      WHERE t.oid IN (c.castsource, c.casttarget) AND t.oid >= 16384
        AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_depend d
          WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
            AND d.objid = t.oid AND d.deptype = 'e'))
  UNION ALL
  SELECT 'pg_catalog.pg_opclass'::pg_catalog.regclass::pg_catalog.oid, o.oid
  FROM pg_catalog.pg_opclass o
  UNION ALL
  SELECT 'pg_catalog.pg_opfamily'::pg_catalog.regclass::pg_catalog.oid, o.oid
  FROM pg_catalog.pg_opfamily o
  UNION ALL
  SELECT 'pg_catalog.pg_language'::pg_catalog.regclass::pg_catalog.oid, l.oid
  FROM pg_catalog.pg_language l
  WHERE NOT l.lanpltrusted
  UNION ALL
  SELECT 'pg_catalog.pg_am'::pg_catalog.regclass::pg_catalog.oid, a.oid
  FROM pg_catalog.pg_am a
  UNION ALL
  SELECT 'pg_catalog.pg_ts_parser'::pg_catalog.regclass::pg_catalog.oid, p.oid
  FROM pg_catalog.pg_ts_parser p
  UNION ALL
  SELECT 'pg_catalog.pg_ts_template'::pg_catalog.regclass::pg_catalog.oid, t.oid
  FROM pg_catalog.pg_ts_template t
), own (class, oid) AS (
  SELECT s.class, s.oid
  FROM special s
  WHERE s.oid >= 16384
    AND NOT EXISTS (
      -- Of an extension, or part of another object: a range type brings its own functions.
      SELECT FROM pg_catalog.pg_depend d
      WHERE d.classid = s.class AND d.objid = s.oid AND d.deptype IN ('e', 'i'))
)
SELECT i.type || ' ' || i.identity
FROM own o
CROSS JOIN pg_catalog.pg_identify_object(o.class, o.oid, 0) i
WHERE (i.schema = ANY (
    pg_catalog.string_to_array(pg_catalog.current_setting('slipway.left_alone', true), ','))) IS NOT TRUE
ORDER BY 1
