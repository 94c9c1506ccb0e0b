"""What a hosting platform keeps in the same database as its customer: schemas, roles, extensions.

Supabase has schemas of its own in every database, which belong to roles of its own and are neither
read nor written here (decision 18). Which ones there are is asked of the database itself when a
connection is opened, and the session's setting `slipway.left_alone` tells the queries.
"""

from __future__ import annotations

from psycopg import sql

from infra.postgres import inventory
from infra.postgres.connection import Connection

# Those whose schemas are a platform's, and the ones that its Data API logs in as.
_OWNERS = "^supabase_"
API_ROLES = frozenset({"anon", "authenticated"})
ROLES = API_ROLES | {
    "authenticator", "dashboard_user", "pgbouncer", "postgres", "service_role",
}  # fmt: skip


def is_role(name: str) -> bool:
    """Tell whether a role is one that the platform has for itself or for its Data API."""
    return name in ROLES or name.startswith("supabase_")


def schemas(connection: Connection) -> tuple[str, ...]:
    """Name the schemas that the session leaves alone; none where no platform is."""
    text = inventory.query(
        connection, "SELECT pg_catalog.current_setting('slipway.left_alone', true)"
    )[0][0]
    return tuple(name for name in (text or "").split(",") if name)


def ties(connection: Connection) -> tuple[str, ...]:
    """Describe what belongs to somebody's tables and needs the platform, and is not carried."""
    return _described(connection, "platform_ties")


def needs(connection: Connection) -> tuple[str, ...]:
    """Describe what cannot be made without the platform: columns, views, functions."""
    return _described(connection, "platform_needs")


def hooks(connection: Connection) -> tuple[str, ...]:
    """Describe what the platform's own tables have of somebody's functions and tables."""
    return _described(connection, "platform_hooks")


def _described(connection: Connection, name: str) -> tuple[str, ...]:
    return tuple(str(text) for (text,) in inventory.with_platform(connection, name))


def close_default_grants(connection: Connection) -> list[str]:
    """Stop granting what this role makes to the Data API's roles; tell for which schemas."""
    found = inventory.rows(connection, "platform_default_grants", sorted(API_ROLES))
    for schema, kind, grantee in found:
        where = sql.SQL(" IN SCHEMA {}").format(sql.Identifier(schema)) if schema else sql.SQL("")
        connection.execute(
            sql.SQL("ALTER DEFAULT PRIVILEGES{} REVOKE ALL ON {} FROM {}").format(
                where, sql.SQL(kind), sql.Identifier(grantee)
            )
        )
    return sorted({schema or "every schema" for schema, _, _ in found})
