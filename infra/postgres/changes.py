"""How much has been written to a database since its server began to count."""

from __future__ import annotations

from typing import LiteralString

from infra.postgres.connection import Connection

# TimescaleDB's bookkeeping and a platform's own tables change without anybody's doing, and
# Alembic's holds no data. Chunks are tables like any other here, whatever schema they lie in.
_WRITTEN: LiteralString = """
SELECT coalesce(sum(s.n_tup_ins + s.n_tup_upd + s.n_tup_del), 0)::pg_catalog.int8
FROM pg_catalog.pg_stat_user_tables s
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = s.relid
      AND d.deptype = 'e')
  AND s.schemaname <> ALL (
    pg_catalog.string_to_array(pg_catalog.current_setting('slipway.left_alone', true), ','))
  AND s.relid IS DISTINCT FROM pg_catalog.to_regclass('public.alembic_version')
"""


def written(connection: Connection) -> int:
    """Return how many rows of the database were inserted, updated or deleted, all told.

    The server learns of a session's changes when it ends, or ten seconds later at most where it
    stays, as a pooler's do; after a crash it begins again at zero.
    """
    row = connection.execute(_WRITTEN).fetchone()
    return int(row[0]) if row else 0
