-- Tables whose row-level security applies to this role.
SELECT c.oid::pg_catalog.regclass::pg_catalog.text
FROM pg_catalog.pg_class c
WHERE c.oid >= 16384
  AND c.relkind IN ('r', 'p')
  AND c.relrowsecurity
  AND (c.relnamespace::pg_catalog.regnamespace::pg_catalog.text = ANY (
    pg_catalog.string_to_array(pg_catalog.current_setting('slipway.left_alone', true), ','))) IS NOT TRUE
  AND pg_catalog.row_security_active(c.oid)
ORDER BY 1
