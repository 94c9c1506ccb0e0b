"""Settings of a server of our own while it is loaded, and the way back to its own ones."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg import sql

from infra.postgres import inventory
from infra.postgres.connection import Connection

# Rows of a new table and indexes stay out of the log; fsync stays on. Each needs a restart or is of
# use only with the others.
SETTINGS = {
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "summarize_wal": "off",
    "max_wal_size": "4GB",
    "autovacuum": "off",
}
_DECISIVE = ("wal_level", "max_wal_senders")


def allowed(connection: Connection) -> bool:
    """Tell whether the server would start with them: nobody archives, replicates or overrides."""
    (found,) = inventory.query(
        connection,
        "SELECT pg_catalog.current_setting('archive_mode') = 'off' "
        "AND NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots) "
        "AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_replication) "
        "AND NOT EXISTS (SELECT FROM pg_catalog.pg_settings s "
        "WHERE s.name = ANY (%s) AND s.source IN ('command line', 'environment variable'))",
        list(_DECISIVE),
    )[0]
    return bool(found)


def before(connection: Connection) -> dict[str, str | None]:
    """Return what ALTER SYSTEM has set of them already; None where nothing."""
    rows = inventory.query(
        connection,
        "SELECT s.name, (SELECT f.setting FROM pg_catalog.pg_file_settings f "
        "WHERE f.name = s.name AND f.sourcefile LIKE '%%/postgresql.auto.conf' "
        "ORDER BY f.seqno DESC LIMIT 1) "
        "FROM pg_catalog.pg_settings s WHERE s.name = ANY (%s)",
        list(SETTINGS),
    )
    return {str(name): value for name, value in rows}


def apply(connection: Connection, known: Mapping[str, str | None]) -> None:
    """Write them down for the next start, those that the server knows."""
    for name in known:
        _set(connection, name, SETTINGS[name])


def restore(connection: Connection, known: Mapping[str, str | None]) -> None:
    """Write down for the next start what was there before."""
    for name, value in known.items():
        _set(connection, name, value)


def in_force(connection: Connection) -> bool:
    """Tell whether the server runs with them."""
    (level,) = inventory.query(connection, "SELECT pg_catalog.current_setting('wal_level')")[0]
    return bool(level == SETTINGS["wal_level"])


def _set(connection: Connection, name: str, value: str | None) -> None:
    setting = sql.Identifier(name)
    if value is None:
        connection.execute(sql.SQL("ALTER SYSTEM RESET {}").format(setting))
    else:
        connection.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(setting, sql.Literal(value)))
