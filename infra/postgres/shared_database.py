"""A database that a hosting platform has a part in: what is whose, and what hangs on what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import sql

from infra.postgres import inventory
from infra.postgres.connection import Connection
from migrations.grants import OPEN_DEFAULTS

# Ours, made first and dropped last: whoever finds it knows that the content is a load's.
_MARK = "slipway_stream"
# What pg_identify_object calls so, DROP calls otherwise.
_WORDS = {"STATISTICS OBJECT": "STATISTICS"}


@dataclass(frozen=True)
class Content:
    """What somebody made in a database that is loaded in place.

    `loading` says that an interrupted transfer made it, `hooks` what the platform's own tables have
    of it; `extensions` are the schemas of those that are installed, by name.
    """

    objects: tuple[str, ...]
    loading: bool
    hooks: tuple[str, ...]
    extensions: Mapping[str, str]
    platform_schemas: tuple[str, ...]


def schemas(connection: Connection) -> tuple[str, ...]:
    """Name the schemas that the session leaves alone; none where no platform is."""
    text = inventory.query(
        connection, "SELECT pg_catalog.current_setting('slipway.left_alone', true)"
    )[0][0]
    return tuple(name for name in (text or "").split(",") if name)


def extensions(connection: Connection) -> tuple[str, ...]:
    """Name the extensions that are the platform's, and that nothing of somebody's is made of."""
    return _described(connection, "platform_extensions")


def ties(connection: Connection) -> dict[str, str]:
    """Describe what belongs to somebody's tables and needs the platform, and is not carried.

    The values are what such an entry of a dump's table of contents begins with.
    """
    return {
        str(text): str(entry)
        for text, entry in inventory.with_platform(connection, "platform_ties")
    }


def publications(connection: Connection) -> tuple[str, ...]:
    """Name the platform's own publications."""
    return _described(connection, "platform_publications")


def needs(connection: Connection) -> tuple[str, ...]:
    """Describe what cannot be made without the platform: columns, views, functions."""
    return _described(connection, "platform_needs")


def used_extensions(connection: Connection) -> frozenset[str]:
    """Name the extensions that something of somebody's own is made of."""
    return frozenset(_described(connection, "used_extensions"))


def read(connection: Connection) -> Content:
    """Read what a load in place would meet."""
    extensions = {
        str(name): str(schema)
        for name, schema in inventory.query(
            connection,
            "SELECT e.extname, n.nspname FROM pg_catalog.pg_extension e "
            "JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace",
        )
    }
    return Content(
        tuple(f"{kind.lower()} {name}" for kind, name in _own(connection)),
        is_loading(connection),
        _described(connection, "own_content", "platform_hooks"),
        extensions,
        schemas(connection),
    )


def is_loading(connection: Connection) -> bool:
    """Tell whether a load has begun here and not ended."""
    rows = inventory.query(
        connection, "SELECT FROM pg_catalog.pg_namespace WHERE nspname = %s", _MARK
    )
    return bool(rows)


def begin(connection: Connection) -> None:
    """Remove all that is somebody's own and leave the mark of a load, in one transaction."""
    with connection.transaction():
        clear(connection)
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(_MARK)))
        for (statement,) in connection.execute(OPEN_DEFAULTS.encode()).fetchall():
            connection.execute(statement.encode())


def clear(connection: Connection) -> None:
    """Remove all that is somebody's own; the platform's and the extensions' things stay."""
    with connection.transaction():
        for kind, identity in _own(connection):
            # The server wrote the name, quoted as it has to be.
            connection.execute(
                f"DROP {_WORDS.get(kind, kind)} IF EXISTS {identity} CASCADE".encode()
            )


def _own(connection: Connection) -> list[tuple[str, str]]:
    return [
        (str(kind), str(identity))
        for kind, identity in inventory.with_platform(connection, "own_content", "own_content_list")
    ]


def _described(connection: Connection, *files: str) -> tuple[str, ...]:
    return tuple(str(text) for (text,) in inventory.with_platform(connection, *files))
