-- Collations made by somebody. What not every version of PostgreSQL knows is read through `later`.
SELECT n.name || '.' || pg_catalog.quote_ident(l.collname),
  pg_catalog.jsonb_build_object(
    'owner', pg_catalog.pg_get_userbyid(l.collowner),
    'provider', CASE l.collprovider
      WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' WHEN 'd' THEN 'default' ELSE 'libc' END,
    'locale', COALESCE(
      later.fields ->> 'colllocale',
      later.fields ->> 'colliculocale',
      CASE WHEN l.collctype = l.collcollate THEN l.collcollate
        ELSE l.collcollate || ', ' || l.collctype END
    ),
    'deterministic', COALESCE((later.fields ->> 'collisdeterministic')::boolean, true),
    'rules', later.fields ->> 'collicurules',
    'comment', pg_catalog.obj_description(l.oid, 'pg_collation')
  )
FROM pg_catalog.pg_collation l
JOIN own_schema n ON n.oid = l.collnamespace
CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(l) AS fields OFFSET 0) later
WHERE (l.tableoid, l.oid) NOT IN (SELECT classid, objid FROM member)
