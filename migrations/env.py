"""What Alembic runs for each of its commands."""

from __future__ import annotations

from typing import Any

from alembic import command, context
from alembic.util import CommandError
from sqlalchemy import Connection

from backend import config
from backend.errors import MigrationError
from migrations import operations, session, upgrade
from migrations.catalog import comparison


def offline() -> None:
    """Write SQL without a database; `-x timescaledb=yes` writes it for one with TimescaleDB."""
    with_timescaledb = context.get_x_argument(as_dictionary=True).get("timescaledb") == "yes"
    options: dict[str, Any] = {
        operations.OFFLINE_TIMESCALEDB: "public" if with_timescaledb else None
    }
    context.configure(dialect_name="postgresql", literal_binds=True, **options)
    with context.begin_transaction():
        context.run_migrations()


def online(connection: Connection) -> None:
    """Work on the connection, within its transaction."""
    context.configure(connection=connection, **comparison(connection))
    with context.begin_transaction():
        context.run_migrations()


def from_command_line() -> None:
    """Work on the active target, as carefully as `invoke migrate` does."""
    endpoint = config.load().admin
    running = getattr(context.config.cmd_opts, "cmd", (command.upgrade,))[0]

    def work(connection: Connection) -> None:
        upgrade.lock(connection, endpoint)
        if running is command.upgrade:
            upgrade.refuse_unsafe(connection, endpoint, context.script)
        online(connection)

    try:
        session.run(endpoint, work)
    except MigrationError as error:
        raise CommandError(f"{error.message}\nHINT: {error.hint}") from error


if context.is_offline_mode():
    offline()
elif session.CONNECTION in context.config.attributes:
    online(context.config.attributes[session.CONNECTION])
else:
    from_command_line()
