-- What a dump's table of contents may name, with the table that each thing belongs to, and the
-- texts of the entries that name no oid: a list prints names bare, line ends as spaces, and quotes
-- them in comments. The last column says for a default what it needs, for a sequence who needs it.
own_schema AS (
  SELECT n.oid, n.tableoid, n.nspname, n.nspowner,
    n.nspname ~ '^_timescaledb_' OR n.oid IN (SELECT oid FROM platform_schema) AS theirs
  FROM pg_catalog.pg_namespace n
  WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
),
relation AS (
  SELECT c.oid, c.tableoid, c.relname, c.relkind, c.relacl, n.nspname,
    pg_catalog.pg_get_userbyid(c.relowner) AS owner,
    '"' || pg_catalog.replace(c.relname, '"', '""') || '"' AS quoted,
    n.theirs OR c.oid IN (SELECT oid FROM chunk) AS theirs
  FROM pg_catalog.pg_class c
  JOIN own_schema n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S', 'i', 'I')
),
part (catalog, oid, relation, kind, theirs, namespace, label, owner, links) AS (
  SELECT c.tableoid, c.oid, c.oid, 'table', c.theirs, c.nspname,
    CASE c.relkind WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'v' THEN 'VIEW'
      WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END || ' ' || c.quoted,
    c.owner, NULL::pg_catalog.int8[]
  FROM relation c
  WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm')
  UNION ALL
  SELECT c.tableoid, c.oid, COALESCE(o.refobjid, 0),
    CASE o.deptype WHEN 'i' THEN 'identity' ELSE 'sequence' END, c.theirs, c.nspname,
    'SEQUENCE ' || c.quoted, c.owner,
    (
      SELECT pg_catalog.array_agg(ARRAY[d.classid::pg_catalog.int8, d.objid::pg_catalog.int8])
      FROM pg_catalog.pg_depend d
      WHERE d.refclassid = c.tableoid AND d.refobjid = c.oid AND d.deptype = 'n'
    )
  FROM relation c
  LEFT JOIN pg_catalog.pg_depend o ON o.classid = c.tableoid AND o.objid = c.oid
    AND o.refclassid = c.tableoid AND o.deptype IN ('a', 'i')
  WHERE c.relkind = 'S'
  UNION ALL
  -- A dump makes the index of a partitioned table, and names the one that identifies replicated
  -- rows, with ONLY, which reaches no parts; and no partitioned table is clustered.
  SELECT c.tableoid, c.oid, t.oid,
    CASE WHEN k.oid IS NOT NULL THEN 'key'
      WHEN t.relkind = 'p' OR i.indisreplident OR i.indisclustered THEN 'index of one table'
      ELSE 'index' END,
    c.theirs, c.nspname, 'INDEX ' || c.quoted, c.owner, NULL
  FROM relation c
  JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
  JOIN relation t ON t.oid = i.indrelid
  LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = c.oid AND k.contype IN ('p', 'u', 'x')
    AND k.conrelid = t.oid
  UNION ALL
  SELECT k.tableoid, k.oid, t.oid,
    CASE WHEN k.contype IN ('p', 'u', 'x') THEN 'key' WHEN k.contype = 'f' THEN 'foreign key'
      ELSE 'constraint' END,
    COALESCE(f.theirs, false)
      OR (k.tableoid, k.oid) IN (SELECT classid, objid FROM platform_tie),
    t.nspname, 'CONSTRAINT "' || pg_catalog.replace(k.conname, '"', '""') || '" ON ' || t.quoted, t.owner, NULL
  FROM pg_catalog.pg_constraint k
  JOIN relation t ON t.oid = k.conrelid
  LEFT JOIN relation f ON f.oid = k.confrelid
  UNION ALL
  SELECT g.tableoid, g.oid, t.oid, 'trigger',
    n.nspname ~ '^_?timescaledb_'
      OR (g.tableoid, g.oid) IN (SELECT classid, objid FROM platform_tie),
    t.nspname,
    'TRIGGER "' || pg_catalog.replace(g.tgname, '"', '""') || '" ON ' || t.quoted, t.owner, NULL
  FROM pg_catalog.pg_trigger g
  JOIN relation t ON t.oid = g.tgrelid
  JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  UNION ALL
  SELECT r.tableoid, r.oid, t.oid, 'rule', false, t.nspname,
    'RULE "' || pg_catalog.replace(r.rulename, '"', '""') || '" ON ' || t.quoted, t.owner, NULL
  FROM pg_catalog.pg_rewrite r
  JOIN relation t ON t.oid = r.ev_class
  UNION ALL
  SELECT p.tableoid, p.oid, t.oid, 'policy',
    (p.tableoid, p.oid) IN (SELECT classid, objid FROM platform_tie), t.nspname,
    'POLICY "' || pg_catalog.replace(p.polname, '"', '""') || '" ON ' || t.quoted, t.owner, NULL
  FROM pg_catalog.pg_policy p
  JOIN relation t ON t.oid = p.polrelid
  UNION ALL
  SELECT s.tableoid, s.oid, t.oid, 'statistics', n.theirs, n.nspname,
    'STATISTICS "' || pg_catalog.replace(s.stxname, '"', '""') || '"',
    pg_catalog.pg_get_userbyid(s.stxowner), NULL
  FROM pg_catalog.pg_statistic_ext s
  JOIN own_schema n ON n.oid = s.stxnamespace
  JOIN relation t ON t.oid = s.stxrelid
  UNION ALL
  SELECT d.tableoid, d.oid, t.oid, 'default', false, t.nspname, '', t.owner,
    (
      SELECT pg_catalog.array_agg(ARRAY[o.refclassid::pg_catalog.int8, o.refobjid::pg_catalog.int8])
      FROM pg_catalog.pg_depend o
      WHERE o.classid = d.tableoid AND o.objid = d.oid AND o.deptype = 'n'
    )
  FROM pg_catalog.pg_attrdef d
  JOIN relation t ON t.oid = d.adrelid
  UNION ALL
  SELECT p.tableoid, p.oid, t.oid, 'publication table',
    b.pubname ~ '^supabase_' AND EXISTS (SELECT FROM platform_schema), t.nspname, '', t.owner, NULL
  FROM pg_catalog.pg_publication_rel p
  JOIN pg_catalog.pg_publication b ON b.oid = p.prpubid
  JOIN relation t ON t.oid = p.prrelid
  UNION ALL
  SELECT p.tableoid, p.oid, 0, 'publication',
    p.pubname ~ '^supabase_' AND EXISTS (SELECT FROM platform_schema), '-',
    'PUBLICATION "' || pg_catalog.replace(p.pubname, '"', '""') || '"',
    pg_catalog.pg_get_userbyid(p.pubowner), NULL
  FROM pg_catalog.pg_publication p
  UNION ALL
  -- Publications of schemas are new in PostgreSQL 15.
  SELECT d.classid, d.objid, 0, 'publication schema', n.theirs, n.nspname, '', '', NULL
  FROM pg_catalog.pg_depend d
  JOIN own_schema n ON n.tableoid = d.refclassid AND n.oid = d.refobjid
  WHERE d.classid = pg_catalog.to_regclass('pg_catalog.pg_publication_namespace')
  UNION ALL
  SELECT n.tableoid, n.oid, 0, 'schema', n.theirs, '-',
    'SCHEMA "' || pg_catalog.replace(n.nspname, '"', '""') || '"',
    pg_catalog.pg_get_userbyid(n.nspowner), NULL
  FROM own_schema n
  UNION ALL
  SELECT p.tableoid, p.oid, 0, 'function', true, n.nspname, '', '', NULL
  FROM pg_catalog.pg_proc p
  JOIN own_schema n ON n.oid = p.pronamespace AND n.theirs
  UNION ALL
  SELECT t.tableoid, t.oid, 0, 'type', true, n.nspname, '', '', NULL
  FROM pg_catalog.pg_type t
  JOIN own_schema n ON n.oid = t.typnamespace AND n.theirs
),
named (catalog, oid, text, owner) AS (
  SELECT p.catalog, p.oid, 'COMMENT ' || p.namespace || ' ' || p.label, p.owner
  FROM part p
  JOIN pg_catalog.pg_description d ON d.classoid = p.catalog AND d.objoid = p.oid AND d.objsubid = 0
  UNION ALL
  SELECT c.tableoid, c.oid, 'ACL ' || c.nspname
      || CASE c.relkind WHEN 'S' THEN ' SEQUENCE ' ELSE ' TABLE ' END || c.quoted,
    c.owner
  FROM relation c
  WHERE c.relacl IS NOT NULL
  UNION ALL
  SELECT c.tableoid, c.oid,
    entry || c.nspname || ' COLUMN ' || c.quoted || '."'
      || pg_catalog.replace(a.attname, '"', '""') || '"',
    c.owner
  FROM relation c
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  CROSS JOIN (VALUES ('COMMENT '), ('ACL ')) AS each (entry)
  WHERE CASE entry
    WHEN 'ACL ' THEN a.attacl IS NOT NULL
    ELSE EXISTS (
      SELECT FROM pg_catalog.pg_description d
      WHERE d.classoid = c.tableoid AND d.objoid = c.oid AND d.objsubid = a.attnum
    )
  END
  UNION ALL
  SELECT c.tableoid, c.oid, 'SEQUENCE OWNED BY ' || c.nspname || ' ' || c.relname, c.owner
  FROM relation c
  WHERE c.relkind = 'S'
  UNION ALL
  -- An index is attached in the name of its parent's owner, a table in that of its own.
  SELECT c.tableoid, c.oid,
    CASE WHEN c.relkind IN ('i', 'I') THEN 'INDEX ATTACH ' ELSE 'TABLE ATTACH ' END
      || c.nspname || ' ' || c.relname,
    possible.owner
  FROM relation c
  JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
  JOIN relation parent ON parent.oid = i.inhparent
  CROSS JOIN LATERAL (VALUES (c.owner), (parent.owner)) AS possible (owner)
),
-- Some versions of pg_dump print no owner with some of them.
texts AS (
  SELECT catalog, oid,
    pg_catalog.array_agg(DISTINCT pg_catalog.translate(text || ' ' || printed, E'\n\r', '  ')) AS texts
  FROM named
  CROSS JOIN LATERAL (VALUES (owner), ('')) AS possible (printed)
  GROUP BY catalog, oid
)
SELECT p.catalog::pg_catalog.int8, p.oid::pg_catalog.int8, p.relation::pg_catalog.int8, p.kind,
  p.theirs, COALESCE(t.texts, '{}'), COALESCE(p.links, '{}')
FROM part p
LEFT JOIN texts t ON t.catalog = p.catalog AND t.oid = p.oid
