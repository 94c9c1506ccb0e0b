"""What the application's role may do: work with rows, and nothing else."""

from __future__ import annotations

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from backend.platform import ALL_MANAGED

# The server writes the statements itself, and only those that would change something: on a
# hypertable each one is repeated for every chunk. Left out are the extensions' own objects, and
# what the current user has no right to grant.
_MISSING_GRANTS = """
WITH role (name) AS (VALUES (%(role)s::name)),
schema AS (
  SELECT n.oid, n.nspname, n.nspowner
  FROM pg_namespace n
  WHERE n.nspname <> 'information_schema' AND NOT starts_with(n.nspname, 'pg_')
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.deptype = 'e'
      AND d.classid = 'pg_namespace'::regclass AND d.objid = n.oid)
),
relation AS (
  SELECT c.oid, c.relkind, c.relname, format('%%I.%%I', schema.nspname, c.relname) AS name
  FROM pg_class c JOIN schema ON schema.oid = c.relnamespace
  WHERE pg_has_role(c.relowner, 'USAGE')
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.deptype = 'e'
      AND d.classid = 'pg_class'::regclass AND d.objid = c.oid)
),
routine AS (
  SELECT p.oid
  FROM pg_proc p JOIN schema ON schema.oid = p.pronamespace
  WHERE pg_has_role(p.proowner, 'USAGE')
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.deptype = 'e'
      AND d.classid = 'pg_proc'::regclass AND d.objid = p.oid)
)
SELECT format('GRANT CONNECT ON DATABASE %%I TO %%I', current_database(), role.name)
FROM role
WHERE NOT has_database_privilege(role.name, current_database(), 'CONNECT')
UNION ALL
SELECT format('GRANT USAGE ON SCHEMA %%I TO %%I', nspname, role.name)
FROM schema, role
WHERE pg_has_role(nspowner, 'USAGE') AND NOT has_schema_privilege(role.name, oid, 'USAGE')
UNION ALL
-- PostgreSQL 14 lets everybody create tables in the schema public.
SELECT format('REVOKE CREATE ON SCHEMA %%I FROM PUBLIC', nspname)
FROM schema
WHERE pg_has_role(nspowner, 'USAGE') AND has_schema_privilege('public', oid, 'CREATE')
UNION ALL
SELECT format('GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE %%s TO %%I', relation.name, role.name)
FROM relation, role
WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND relname <> 'alembic_version'
  AND NOT (has_table_privilege(role.name, oid, 'SELECT')
    AND has_table_privilege(role.name, oid, 'INSERT')
    AND has_table_privilege(role.name, oid, 'UPDATE')
    AND has_table_privilege(role.name, oid, 'DELETE'))
UNION ALL
SELECT format('REVOKE ALL ON TABLE %%s FROM %%I', relation.name, role.name)
FROM relation, role
WHERE relname = 'alembic_version'
UNION ALL
SELECT format('GRANT SELECT ON TABLE %%s TO %%I', relation.name, role.name)
FROM relation, role
WHERE relname = 'alembic_version'
UNION ALL
SELECT format('GRANT USAGE, SELECT ON SEQUENCE %%s TO %%I', relation.name, role.name)
FROM relation, role
WHERE relkind = 'S'
  AND NOT (has_sequence_privilege(role.name, oid, 'USAGE')
    AND has_sequence_privilege(role.name, oid, 'SELECT'))
UNION ALL
SELECT format('GRANT EXECUTE ON ROUTINE %%s TO %%I', oid::regprocedure, role.name)
FROM routine, role
WHERE NOT has_function_privilege(role.name, oid, 'EXECUTE')
"""

# On a platform that turns tables into an API, what the current role makes is given to whoever
# calls it. Each statement takes that back for one kind of thing.
OPEN_DEFAULTS = """
SELECT 'ALTER DEFAULT PRIVILEGES '
    || COALESCE('IN SCHEMA ' || pg_catalog.quote_ident(n.nspname) || ' ', '')
    || 'REVOKE ALL ON '
    || CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES'
      WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' ELSE 'SCHEMAS' END
    || ' FROM ' || pg_catalog.quote_ident(g.rolname)
FROM pg_catalog.pg_default_acl d
JOIN pg_catalog.pg_roles me ON me.oid = d.defaclrole AND me.rolname = CURRENT_USER
CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) a
JOIN pg_catalog.pg_roles g ON g.oid = a.grantee
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
WHERE g.rolname IN ('anon', 'authenticated')
  AND (n.nspname IS NULL OR n.nspname <> ALL ('{managed}'))
GROUP BY n.nspname, d.defaclobjtype, g.rolname
""".replace("{managed}", "{" + ",".join(sorted(ALL_MANAGED)) + "}")

_DEFAULTS = (
    "USAGE ON SCHEMAS",
    "SELECT, INSERT, UPDATE, DELETE ON TABLES",
    "USAGE, SELECT ON SEQUENCES",
    "EXECUTE ON ROUTINES",
)


def grant_application_role(connection: psycopg.Connection[TupleRow], owner: str, role: str) -> None:
    """Let `role` work with everything in the database, now and when `owner` adds to it.

    The connection's user is the owner or a superuser; an open transaction is left for the caller
    to end. Raises psycopg.Error.
    """
    with connection.transaction():
        for (statement,) in connection.execute(_MISSING_GRANTS, {"role": role}).fetchall():
            connection.execute(statement)
        for privileges in _DEFAULTS:
            connection.execute(
                sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} GRANT {} TO {}").format(
                    sql.Identifier(owner), sql.SQL(privileges), sql.Identifier(role)
                )
            )
