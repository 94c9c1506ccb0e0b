-- Types: enumerations, composites, domains, ranges and base types.
SELECT t.name,
  pg_catalog.jsonb_build_object(
    'owner', pg_catalog.pg_get_userbyid(t.typowner),
    'kind', CASE t.typtype
      WHEN 'e' THEN 'enum' WHEN 'c' THEN 'composite' WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range'
      ELSE 'base' END,
    'definition', CASE t.typtype
      WHEN 'e' THEN (
        SELECT pg_catalog.jsonb_agg(e.enumlabel ORDER BY e.enumsortorder)
        FROM pg_catalog.pg_enum e
        WHERE e.enumtypid = t.oid
      )
      WHEN 'c' THEN (
        SELECT pg_catalog.jsonb_agg(
          pg_catalog.quote_ident(a.attname) || ' '
            || pg_catalog.format_type(a.atttypid, a.atttypmod)
            || COALESCE(' COLLATE ' || collation_of.name, '')
          ORDER BY a.attnum
        )
        FROM pg_catalog.pg_attribute a
        JOIN pg_catalog.pg_type b ON b.oid = a.atttypid
        LEFT JOIN collation_name collation_of
          ON collation_of.oid = a.attcollation AND a.attcollation <> b.typcollation
        WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
      )
      WHEN 'd' THEN pg_catalog.to_jsonb(
        pg_catalog.format_type(t.typbasetype, t.typtypmod)
          || (
            SELECT COALESCE(' COLLATE ' || pg_catalog.max(collation_of.name), '')
            FROM pg_catalog.pg_type b
            JOIN collation_name collation_of
              ON collation_of.oid = t.typcollation AND t.typcollation <> b.typcollation
            WHERE b.oid = t.typbasetype
          )
          || COALESCE(' DEFAULT ' || t.typdefault, '')
          || CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END
      )
      WHEN 'r' THEN (
        SELECT pg_catalog.to_jsonb(pg_catalog.concat_ws(', ',
          'SUBTYPE = ' || pg_catalog.format_type(r.rngsubtype, NULL),
          'SUBTYPE_OPCLASS = ' || pg_catalog.quote_ident(n.nspname) || '.'
            || pg_catalog.quote_ident(o.opcname),
          'COLLATION = ' || collation_of.name,
          'CANONICAL = ' || NULLIF(r.rngcanonical::pg_catalog.oid, 0)::pg_catalog.regproc,
          'SUBTYPE_DIFF = ' || NULLIF(r.rngsubdiff::pg_catalog.oid, 0)::pg_catalog.regproc
        ))
        FROM pg_catalog.pg_range r
        JOIN pg_catalog.pg_opclass o ON o.oid = r.rngsubopc
        JOIN pg_catalog.pg_namespace n ON n.oid = o.opcnamespace
        LEFT JOIN collation_name collation_of ON collation_of.oid = r.rngcollation
        WHERE r.rngtypid = t.oid
      )
      ELSE pg_catalog.to_jsonb('INPUT = ' || t.typinput || ', OUTPUT = ' || t.typoutput)
      END,
    'checks', (
      SELECT pg_catalog.jsonb_agg(
        pg_catalog.quote_ident(k.conname) || ' ' || pg_catalog.pg_get_constraintdef(k.oid)
        ORDER BY k.conname
      )
      FROM pg_catalog.pg_constraint k
      WHERE k.contypid = t.oid AND k.contype = 'c'
    ),
    'comment', pg_catalog.obj_description(t.oid, 'pg_type')
  )
FROM own_type t
