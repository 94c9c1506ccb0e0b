"""Bringing a schema to the newest revision: one at a time, all or nothing, never a stranger's."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from alembic import command
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

from backend.config import Endpoint
from backend.errors import MigrationError
from migrations import catalog, failures, session
from migrations.grants import OPEN_DEFAULTS

# Any constant will do as long as it stays the same: it is "slipway" in ASCII.
LOCK_KEY = 0x736C6970776179


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds: for another migration to end, for a lock on a table."""

    migration: float = 60
    table: float = 5


DEFAULT_PATIENCE = Patience()


def upgrade(endpoint: Endpoint, patience: Patience = DEFAULT_PATIENCE) -> str:
    """Bring the database to the newest revision and return it; on any failure nothing changes.

    Raises MigrationError, among others for a database with tables that Alembic does not know.
    """

    def work(connection: sa.Connection) -> str:
        scripts = session.scripts()
        lock(connection, endpoint, patience)
        head = refuse_unsafe(connection, endpoint, scripts)
        # Before there is anything to be seen.
        for statement in connection.exec_driver_sql(OPEN_DEFAULTS).scalars().all():
            connection.exec_driver_sql(statement)
        command.upgrade(session.alembic_config(connection), head)
        return head

    return session.run(endpoint, work)


def lock(
    connection: sa.Connection, endpoint: Endpoint, patience: Patience = DEFAULT_PATIENCE
) -> None:
    """Become the only migration in this database until the transaction ends."""
    # A host's limit on statements would cut a long migration short.
    _set_local(connection, "statement_timeout", 0)
    _set_local(connection, "lock_timeout", patience.migration)
    try:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK_KEY)))
    except DBAPIError as error:
        if failures.sqlstate(error) != failures.LOCK_NOT_AVAILABLE:
            raise
        raise failures.busy(endpoint.database, patience.migration) from error
    _set_local(connection, "lock_timeout", patience.table)


def refuse_unsafe(connection: sa.Connection, endpoint: Endpoint, scripts: ScriptDirectory) -> str:
    """Return the newest revision, or raise MigrationError where an upgrade must not begin."""
    head = single_head(scripts)
    current = MigrationContext.configure(connection).get_current_heads()
    for revision in unknown(current, scripts):
        raise MigrationError(
            f'database "{endpoint.database}" is at revision {revision},'
            " which this code does not know",
            "Use the version of the code that brought it there, or a newer one.",
        )
    strange = catalog.user_relations(connection, endpoint.target) if not current else ""
    if strange:
        raise MigrationError(
            f'database "{endpoint.database}" holds {strange} that alembic does not know',
            "Run `invoke stamp` when the schema already matches the models; taking it over as it"
            " stands (`invoke adopt`) comes with a later version.",
        )
    return head


def single_head(scripts: ScriptDirectory) -> str:
    """Return the one newest revision; MigrationError names them where there are several."""
    heads = sorted(scripts.get_heads())
    if len(heads) != 1:
        raise MigrationError(
            f"the migrations have {len(heads)} newest revisions: {', '.join(heads)}",
            "Set the down_revision of one to the other, so that one follows the other.",
        )
    return heads[0]


def unknown(current: tuple[str, ...], scripts: ScriptDirectory) -> list[str]:
    """Return those of a database's revisions that no script stands for."""
    known = {script.revision for script in scripts.walk_revisions()}
    return [revision for revision in current if revision not in known]


def _set_local(connection: sa.Connection, parameter: str, seconds: float) -> None:
    value = f"{round(seconds * 1000)}ms"
    connection.execute(sa.select(sa.func.set_config(parameter, value, sa.true())))
