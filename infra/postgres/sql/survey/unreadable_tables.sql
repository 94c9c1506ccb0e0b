-- Tables that a dump reads and this role may not; a partition or a chunk under its root's name.
WITH RECURSIVE unreadable (oid) AS (
  SELECT c.oid
  FROM pg_catalog.pg_class c
  WHERE c.oid >= 16384
    AND c.relkind IN ('r', 'p')
    AND c.relpersistence <> 't'
    AND (c.relnamespace::pg_catalog.regnamespace::pg_catalog.text = ANY (
      pg_catalog.string_to_array(pg_catalog.current_setting('slipway.left_alone', true), ','))) IS NOT TRUE
    AND NOT (pg_catalog.has_table_privilege(c.oid, 'SELECT')
      AND pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE'))
    -- Of an extension's own tables a dump reads those that hold its users' settings.
    AND (NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
          AND d.objid = c.oid AND d.deptype = 'e')
      OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE c.oid = ANY (e.extconfig)))
), ancestor (oid, parent) AS (
  SELECT u.oid, u.oid FROM unreadable u
  UNION ALL
  SELECT a.oid, i.inhparent
  FROM ancestor a
  JOIN pg_catalog.pg_inherits i ON i.inhrelid = a.parent
  JOIN pg_catalog.pg_class c ON c.oid = a.parent
  WHERE c.relispartition OR i.inhparent = ANY (%s::pg_catalog.oid[])
)
SELECT DISTINCT a.parent::pg_catalog.regclass::pg_catalog.text
FROM ancestor a
JOIN pg_catalog.pg_class c ON c.oid = a.parent
WHERE NOT c.relispartition
  AND NOT EXISTS (
    SELECT FROM ancestor b
    JOIN pg_catalog.pg_inherits i ON i.inhrelid = a.parent AND i.inhparent = b.parent
    WHERE b.oid = a.oid)
ORDER BY 1
