-- Foreign tables that views or functions use, or that are part of another table.
SELECT c.oid::pg_catalog.regclass::pg_catalog.text
FROM pg_catalog.pg_class c
WHERE c.relkind = 'f'
  AND (EXISTS (
      SELECT FROM pg_catalog.pg_depend d
      WHERE d.deptype = 'n'
        AND ((d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = c.oid)
          OR (d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass
            AND d.refobjid = c.reltype)))
    OR EXISTS (
      SELECT FROM pg_catalog.pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent)))
ORDER BY 1
