"""What the server lets the role of a connection do."""

from __future__ import annotations

from infra.postgres import inventory
from infra.postgres.connection import Connection

# How many sessions a session pooler gives out to one role, where nobody has chosen otherwise, less
# one for whoever looks in meanwhile. Supabase's documentation has 15.
SESSION_PLACES = 14


def room(connection: Connection) -> int:
    """Return how many more sessions the role may open."""
    return max(0, int(inventory.rows(connection, "survey/room")[0][0]))


def known_as(connection: Connection, user: str) -> str:
    """Return the role that a user name stands for: a pooler may want `ROLE.PROJECT`."""
    role, dot, _ = user.rpartition(".")
    if not dot:
        return user
    found = inventory.query(connection, "SELECT FROM pg_catalog.pg_roles WHERE rolname = %s", user)
    return user if found else role


def is_superuser(connection: Connection) -> bool:
    """Tell whether the role is one."""
    (found,) = inventory.query(
        connection, "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER"
    )[0]
    return bool(found)


def reads_all_rows(connection: Connection) -> bool:
    """Tell whether row security, forced on owners too, hides nothing from the role."""
    (found,) = inventory.query(
        connection,
        "SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER",
    )[0]
    return bool(found)
