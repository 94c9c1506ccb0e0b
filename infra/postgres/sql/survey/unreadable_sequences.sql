-- Sequences whose value this role may not read.
SELECT c.oid::pg_catalog.regclass::pg_catalog.text
FROM pg_catalog.pg_class c
WHERE c.oid >= 16384
  AND c.relkind = 'S'
  AND (c.relnamespace::pg_catalog.regnamespace::pg_catalog.text = ANY (
    pg_catalog.string_to_array(pg_catalog.current_setting('slipway.left_alone', true), ','))) IS NOT TRUE
  AND c.relpersistence <> 't'
  AND NOT (pg_catalog.has_sequence_privilege(c.oid, 'SELECT')
    AND pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE'))
  AND (NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.objid = c.oid AND d.deptype = 'e')
    OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE c.oid = ANY (e.extconfig)))
ORDER BY 1
