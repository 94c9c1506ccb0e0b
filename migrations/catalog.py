"""What a database holds besides what PostgreSQL and its extensions brought along."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection

from backend.models import Base
from backend.platform import MANAGED_SCHEMAS

VERSION_TABLE = "alembic_version"

# What a target is called, and whose server that is.
_SHOWN_BY = {"supabase": "supabase_admin", "neon": "neon_superuser"}

# Schema, kind and number of the relations that are somebody's own. A partition counts as part of
# its table, a column's sequence as part of the column, a chunk as part of its hypertable: chunks
# live in a schema that belongs to the extension.
USER_RELATIONS = """
SELECT n.nspname, kind.label, count(*)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN (VALUES ('r', 'table'), ('p', 'table'), ('f', 'table'), ('v', 'view'), ('m', 'view'),
             ('S', 'sequence')) AS kind (code, label) ON kind.code = c.relkind::text
WHERE NOT c.relispartition
  AND n.nspname <> 'information_schema'
  AND NOT starts_with(n.nspname, 'pg_')
  AND c.oid IS DISTINCT FROM to_regclass('public.alembic_version')
  AND NOT EXISTS (
    SELECT FROM pg_depend d
    WHERE d.deptype = 'e'
      AND ((d.classid = 'pg_class'::regclass AND d.objid = c.oid)
        OR (d.classid = 'pg_namespace'::regclass AND d.objid = n.oid)))
  AND NOT (c.relkind = 'S' AND EXISTS (
    SELECT FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')))
GROUP BY n.nspname, kind.label
ORDER BY kind.label
"""

# Relations that are no tables of the models' kind: partitions, chunks, what extensions brought.
_PARTS_AND_MEMBERS = """
SELECT n.nspname, c.relname
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
   OR EXISTS (
    SELECT FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
"""


def summary(rows: Iterable[tuple[str, str, int]], target: str) -> str:
    """Put the rows of USER_RELATIONS in words, such as `11 tables, 2 views`; empty for none."""
    counts: Counter[str] = Counter()
    managed = MANAGED_SCHEMAS.get(_SHOWN_BY.get(target, ""), frozenset())
    for schema, kind, number in rows:
        if schema not in managed:
            counts[kind] += number
    order = ("table", "view", "sequence")
    return ", ".join(
        f"{counts[kind]} {kind}{'' if counts[kind] == 1 else 's'}" for kind in order if counts[kind]
    )


def user_relations(connection: Connection, target: str) -> str:
    """Say in words what the database holds that is somebody's own; empty for nothing."""
    rows = connection.exec_driver_sql(USER_RELATIONS)
    return summary(((schema, kind, number) for schema, kind, number in rows), target)


def comparison(connection: Connection) -> dict[str, Any]:
    """Return the options under which Alembic compares this database with the models.

    Only schemas that the models name are looked at; in them, partitions, chunks and tables of
    extensions are passed over.
    """
    hidden = {(schema, name) for schema, name in connection.exec_driver_sql(_PARTS_AND_MEMBERS)}
    default_schema = connection.dialect.default_schema_name
    schemas = {table.schema for table in Base.metadata.tables.values()}

    def include_name(name: str | None, kind: str, parents: Any) -> bool:  # noqa: ANN401
        if kind == "schema":
            return name in schemas
        if kind == "table":
            return (parents["schema_name"] or default_schema, name) not in hidden
        return True

    return {
        "target_metadata": Base.metadata,
        "include_schemas": True,
        "include_name": include_name,
        "compare_type": True,
        "compare_server_default": True,
        # Alembic leaves check constraints out unless it is told to look at them.
        "autogenerate_plugins": ["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"],
        "version_table": VERSION_TABLE,
    }
