-- Publications. What not every version of PostgreSQL knows is read through `later`.
SELECT pg_catalog.quote_ident(p.pubname),
  pg_catalog.jsonb_build_object(
    'owner', pg_catalog.pg_get_userbyid(p.pubowner),
    'all_tables', p.puballtables,
    'insert', p.pubinsert,
    'update', p.pubupdate,
    'delete', p.pubdelete,
    'truncate', p.pubtruncate,
    'via_root', COALESCE((later.fields ->> 'pubviaroot')::boolean, false),
    'schemas', (
      -- The table of schemas came with PostgreSQL 15; its dependencies say the same.
      SELECT pg_catalog.jsonb_agg(n.nspname ORDER BY n.nspname)
      FROM pg_catalog.pg_depend part
      JOIN pg_catalog.pg_depend d ON d.classid = part.classid AND d.objid = part.objid
      JOIN pg_catalog.pg_namespace n ON n.tableoid = d.refclassid AND n.oid = d.refobjid
      WHERE part.refclassid = p.tableoid AND part.refobjid = p.oid
    ),
    'tables', (
      SELECT pg_catalog.jsonb_agg(
        r.prrelid::pg_catalog.regclass
          || COALESCE(' (' || (
            SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum)
            FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = r.prrelid
              AND pg_catalog.to_jsonb(r) -> 'prattrs' @> pg_catalog.to_jsonb(a.attnum)
          ) || ')', '')
          || COALESCE(' WHERE ' || (
            SELECT pg_catalog.to_jsonb(t) ->> 'rowfilter'
            FROM pg_catalog.pg_publication_tables t
            JOIN pg_catalog.pg_class c ON c.oid = r.prrelid AND c.relname = t.tablename
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = t.schemaname
            WHERE t.pubname = p.pubname
          ), '')
        ORDER BY r.prrelid::pg_catalog.regclass::pg_catalog.text
      )
      FROM pg_catalog.pg_publication_rel r
      WHERE r.prpubid = p.oid
    )
  )
FROM pg_catalog.pg_publication p
CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(p) AS fields OFFSET 0) later
-- A platform's own ones begin with its name.
WHERE NOT (p.pubname ~ '^supabase_' AND EXISTS (SELECT FROM platform_schema))
