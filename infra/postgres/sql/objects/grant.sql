-- Privileges that somebody other than an object's owner holds. Where nobody granted or revoked
-- anything, the object's kind says what they are.
SELECT g.privilege_type || ' on ' || pg_catalog.concat_ws(' ', o.kind, NULLIF(o.name, ''))
    || ' to ' || CASE WHEN g.grantee = 0 THEN 'PUBLIC'
      ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END,
  pg_catalog.jsonb_build_object(
    'privilege', g.privilege_type,
    'on', o.kind,
    'object', o.name,
    'grantee', CASE WHEN g.grantee = 0 THEN 'PUBLIC'
      ELSE pg_catalog.pg_get_userbyid(g.grantee) END,
    -- Several roles may have granted it.
    'grantable', pg_catalog.bool_or(g.is_grantable)
  )
FROM (
  -- The name of a database is not its own: a staging database has another one.
  SELECT 'database' AS kind, '' AS name, datdba AS owner,
    COALESCE(datacl, pg_catalog.acldefault('d', datdba)) AS acl
  FROM pg_catalog.pg_database
  WHERE datname = pg_catalog.current_database()
  UNION ALL
  SELECT 'schema', name, nspowner, COALESCE(nspacl, pg_catalog.acldefault('n', nspowner))
  FROM own_schema
  WHERE (tableoid, oid) NOT IN (SELECT classid, objid FROM member)
  UNION ALL
  SELECT CASE relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, name, relowner,
    COALESCE(relacl, CASE relkind WHEN 'S' THEN pg_catalog.acldefault('s', relowner)
      ELSE pg_catalog.acldefault('r', relowner) END)
  FROM own_relation
  UNION ALL
  SELECT 'column', c.name || '.' || pg_catalog.quote_ident(a.attname), c.relowner, a.attacl
  FROM own_relation c
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
  WHERE a.attacl IS NOT NULL
  UNION ALL
  SELECT 'function', name, proowner, COALESCE(proacl, pg_catalog.acldefault('f', proowner))
  FROM own_function
  UNION ALL
  SELECT 'type', name, typowner, COALESCE(typacl, pg_catalog.acldefault('T', typowner))
  FROM own_type
  UNION ALL
  SELECT 'language', pg_catalog.quote_ident(lanname), lanowner,
    COALESCE(lanacl, pg_catalog.acldefault('l', lanowner))
  FROM pg_catalog.pg_language
  WHERE lanpltrusted
    -- PL/pgSQL is an extension's, but in every database.
    AND (lanname = 'plpgsql' OR (tableoid, oid) NOT IN (SELECT classid, objid FROM member))
  UNION ALL
  SELECT 'foreign data wrapper', pg_catalog.quote_ident(fdwname), fdwowner,
    COALESCE(fdwacl, pg_catalog.acldefault('F', fdwowner))
  FROM pg_catalog.pg_foreign_data_wrapper
  WHERE (tableoid, oid) NOT IN (SELECT classid, objid FROM member)
  UNION ALL
  SELECT 'foreign server', pg_catalog.quote_ident(srvname), srvowner,
    COALESCE(srvacl, pg_catalog.acldefault('S', srvowner))
  FROM pg_catalog.pg_foreign_server
  WHERE (tableoid, oid) NOT IN (SELECT classid, objid FROM member)
  UNION ALL
  SELECT 'large object', oid::pg_catalog.text, lomowner,
    COALESCE(lomacl, pg_catalog.acldefault('L', lomowner))
  FROM pg_catalog.pg_largeobject_metadata
) o
CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) g
WHERE g.grantee <> o.owner
GROUP BY o.kind, o.name, g.privilege_type, g.grantee
