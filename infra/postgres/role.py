"""What the server lets the role of a connection do."""

from __future__ import annotations

from infra.postgres import inventory
from infra.postgres.connection import Connection


def room(connection: Connection) -> int:
    """Return how many more sessions the role may open."""
    return max(0, int(inventory.rows(connection, "survey/room")[0][0]))


def reads_all_rows(connection: Connection) -> bool:
    """Tell whether row security, forced on owners too, hides nothing from the role."""
    (found,) = inventory.query(
        connection,
        "SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER",
    )[0]
    return bool(found)
