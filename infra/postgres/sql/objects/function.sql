-- Functions, procedures, window functions and aggregates.
SELECT p.name,
  pg_catalog.jsonb_build_object(
    'owner', pg_catalog.pg_get_userbyid(p.proowner),
    'kind', CASE p.prokind
      WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' WHEN 'w' THEN 'window function'
      ELSE 'function' END,
    'language', l.lanname,
    'security_definer', p.prosecdef,
    'definition', CASE
      WHEN p.prokind = 'p' THEN pg_catalog.replace(
        pg_catalog.pg_get_functiondef(p.oid),
        pg_catalog.pg_get_function_arguments(p.oid),
        -- PostgreSQL 14 began to say IN for a procedure.
        pg_catalog.regexp_replace(
          pg_catalog.pg_get_function_arguments(p.oid), '(^|, )IN ', '\1', 'g'
        )
      )
      WHEN a.aggfnoid IS NULL THEN pg_catalog.pg_get_functiondef(p.oid)
      ELSE pg_catalog.concat_ws(', ',
        'SFUNC = ' || a.aggtransfn,
        'STYPE = ' || pg_catalog.format_type(a.aggtranstype, NULL),
        'SSPACE = ' || NULLIF(a.aggtransspace, 0),
        'FINALFUNC = ' || NULLIF(a.aggfinalfn::pg_catalog.oid, 0)::pg_catalog.regproc,
        'FINALFUNC_EXTRA = ' || NULLIF(a.aggfinalextra, false),
        'FINALFUNC_MODIFY = ' || a.aggfinalmodify::pg_catalog.text,
        'COMBINEFUNC = ' || NULLIF(a.aggcombinefn::pg_catalog.oid, 0)::pg_catalog.regproc,
        'SERIALFUNC = ' || NULLIF(a.aggserialfn::pg_catalog.oid, 0)::pg_catalog.regproc,
        'DESERIALFUNC = ' || NULLIF(a.aggdeserialfn::pg_catalog.oid, 0)::pg_catalog.regproc,
        'INITCOND = ' || pg_catalog.quote_literal(a.agginitval),
        'MSFUNC = ' || NULLIF(a.aggmtransfn::pg_catalog.oid, 0)::pg_catalog.regproc,
        'MINVFUNC = ' || NULLIF(a.aggminvtransfn::pg_catalog.oid, 0)::pg_catalog.regproc,
        'MSTYPE = ' || pg_catalog.format_type(NULLIF(a.aggmtranstype, 0), NULL),
        'MSSPACE = ' || NULLIF(a.aggmtransspace, 0),
        'MFINALFUNC = ' || NULLIF(a.aggmfinalfn::pg_catalog.oid, 0)::pg_catalog.regproc,
        'MINITCOND = ' || pg_catalog.quote_literal(a.aggminitval),
        'SORTOP = ' || NULLIF(a.aggsortop, 0)::pg_catalog.regoperator,
        'KIND = ' || a.aggkind::pg_catalog.text
      ) END,
    'comment', pg_catalog.obj_description(p.oid, 'pg_proc')
  )
FROM own_function p
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
LEFT JOIN pg_catalog.pg_aggregate a ON a.aggfnoid = p.oid
