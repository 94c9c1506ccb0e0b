"""How much has been written to a database since its server began to count."""

from __future__ import annotations

from typing import LiteralString

from infra.postgres.connection import Connection

# TimescaleDB's bookkeeping and a host's own tables change without anybody's doing; Alembic's is no
# data. Chunks are tables like any other here, whatever schema they lie in. A server that crashed
# begins again at zero.
_WRITTEN: LiteralString = """
SELECT coalesce(sum(s.n_tup_ins + s.n_tup_upd + s.n_tup_del), 0)::pg_catalog.int8
FROM pg_catalog.pg_stat_user_tables s
JOIN pg_catalog.pg_class c ON c.oid = s.relid
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
      AND d.deptype = 'e')
  AND c.oid IS DISTINCT FROM pg_catalog.to_regclass('public.alembic_version')
  AND pg_catalog.pg_get_userbyid(c.relowner) !~ '^(supabase_.*|cloud_admin|pgbouncer)$'
"""


def written(connection: Connection) -> int:
    """Return how many rows of the database were inserted, updated or deleted, all told.

    The server learns of a session's changes within a second of their commit.
    """
    row = connection.execute(_WRITTEN).fetchone()
    return int(row[0]) if row else 0
