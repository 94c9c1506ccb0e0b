-- What the queries of `objects/` build on: what is neither PostgreSQL's own, nor an extension's,
-- nor TimescaleDB's. A row of a catalog has the catalog for its tableoid, as pg_depend says it.
member AS (
  SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e'
),
own_schema AS (
  SELECT n.oid, n.tableoid, n.nspname, n.nspowner, n.nspacl,
    pg_catalog.quote_ident(n.nspname) AS name
  FROM pg_catalog.pg_namespace n
  WHERE n.nspname !~ '^pg_'
    AND n.nspname <> 'information_schema'
    AND n.nspname !~ '^_?timescaledb_'
    AND n.oid NOT IN (SELECT oid FROM platform_schema)
),
own_relation AS (
  SELECT c.oid, c.relname, n.nspname, n.name || '.' || pg_catalog.quote_ident(c.relname) AS name,
    c.relkind, c.relowner, c.relacl, c.relpersistence, c.relpartbound,
    c.relreplident, c.relrowsecurity, c.relforcerowsecurity, c.relispopulated, c.reloptions,
    c.reltoastrelid
  FROM pg_catalog.pg_class c
  JOIN own_schema n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
    AND c.relpersistence <> 't'
    AND (c.tableoid, c.oid) NOT IN (SELECT classid, objid FROM member)
    AND c.oid NOT IN (SELECT oid FROM chunk)
),
own_table AS (
  SELECT * FROM own_relation WHERE relkind IN ('r', 'p', 'f')
),
own_function AS (
  SELECT p.oid, p.prokind, p.proowner, p.prolang, p.prosecdef, p.proacl,
    n.name || '.' || pg_catalog.quote_ident(p.proname) || '('
      -- PostgreSQL 14 began to say IN for a procedure.
      || pg_catalog.regexp_replace(
        pg_catalog.pg_get_function_identity_arguments(p.oid), '(^|, )IN ', '\1', 'g'
      ) || ')' AS name
  FROM pg_catalog.pg_proc p
  JOIN own_schema n ON n.oid = p.pronamespace
  WHERE (p.tableoid, p.oid) NOT IN (SELECT classid, objid FROM member)
    -- The constructors of a range type belong to the type.
    AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend d
      WHERE d.classid = p.tableoid AND d.objid = p.oid AND d.deptype = 'i'
    )
),
own_type AS (
  SELECT t.oid, t.typtype, t.typowner, t.typacl, t.typrelid, t.typbasetype, t.typtypmod,
    t.typnotnull, t.typdefault, t.typcollation, t.typinput, t.typoutput,
    n.name || '.' || pg_catalog.quote_ident(t.typname) AS name
  FROM pg_catalog.pg_type t
  JOIN own_schema n ON n.oid = t.typnamespace
  WHERE t.typisdefined
    AND t.typtype IN ('b', 'c', 'd', 'e', 'r')
    AND (t.tableoid, t.oid) NOT IN (SELECT classid, objid FROM member)
    -- Neither the row types of tables nor the arrays of other types.
    AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind <> 'c'
    )
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = t.oid)
),
view_columns AS (
  SELECT a.attrelid AS oid,
    pg_catalog.jsonb_agg(
      pg_catalog.quote_ident(a.attname) || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod)
        || COALESCE(' DEFAULT ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid), '')
      ORDER BY a.attnum
    ) AS list,
    pg_catalog.jsonb_object_agg(a.attname, r.description) FILTER (WHERE r.description IS NOT NULL)
      AS comments
  FROM own_relation c
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  LEFT JOIN pg_catalog.pg_description r
    ON r.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND r.objoid = a.attrelid
    AND r.objsubid = a.attnum
  WHERE c.relkind IN ('v', 'm')
  GROUP BY a.attrelid
),
collation_name AS (
  SELECT l.oid,
    pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(l.collname) AS name
  FROM pg_catalog.pg_collation l
  JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace
)
