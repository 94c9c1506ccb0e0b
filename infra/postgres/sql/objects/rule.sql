-- Rewrite rules, but those that make a view.
SELECT pg_catalog.quote_ident(r.rulename) || ' on ' || c.name,
  pg_catalog.jsonb_build_object(
    'definition', pg_catalog.pg_get_ruledef(r.oid),
    'enabled', CASE r.ev_enabled
      WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' ELSE 'origin' END,
    'comment', pg_catalog.obj_description(r.oid, 'pg_rewrite')
  )
FROM own_relation c
JOIN pg_catalog.pg_rewrite r ON r.ev_class = c.oid
WHERE r.rulename <> '_RETURN'
