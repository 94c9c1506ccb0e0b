"""Restore: an archive lands in a staging database, is compared, and goes live by rename."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from backend.config import Endpoint
from infra.engine.tools import ClientTools, Server
from infra.errors import ClientToolError, RefusedError, VerificationError
from infra.postgres import client_tools, timescale
from infra.postgres.connection import Connection, connect
from infra.postgres.inventory import Extension
from infra.process import Completed
from infra.transfer import receipt, swap
from infra.transfer.archive import Archive, verify_files
from infra.transfer.export import create_extension
from infra.transfer.receipt import Receipt
from migrations.roles import grant_application_role

Report = Callable[[str], None]


@dataclass(frozen=True)
class LocalTarget:
    """The Compose database: the superuser's endpoint, and the roles that live in it."""

    superuser: Endpoint
    server: Server
    owner: str
    application: str

    @property
    def database(self) -> str:
        """Return the live database's name."""
        return self.superuser.database


def check(archive: Archive, target: LocalTarget) -> None:
    """Make every check that only reads; RefusedError says why the restore cannot succeed."""
    verify_files(archive)
    facts = archive.content["facts"]
    with connect(target.superuser, "target", database=swap.MAINTENANCE) as connection:
        for found in facts["extensions"]:
            extension = Extension(**found)
            versions = _available(connection, extension.name)
            exact = extension.name == "timescaledb"
            if not versions or (exact and extension.version not in versions):
                offered = ", ".join(versions) or "none"
                raise RefusedError(
                    f"extension {extension.name} {extension.version} is not in the target's image "
                    f"(it has {offered})",
                    "Set DB_IMAGE in .env to an image that carries it"
                    + (", or update the source to a version listed." if exact else "."),
                )


def restore(
    archive: Archive, target: LocalTarget, tools: ClientTools, *, jobs: int, report: Report
) -> Receipt:
    """Load the archive beside the live database and swap it in; return what arrived.

    Raises ClientToolError or VerificationError with the live database untouched.
    """
    with (
        swap.maintenance(target.superuser) as maintenance,
        swap.restorer(maintenance, target.database) as role,
    ):
        report("making the staging database")
        staging = swap.create_staging(maintenance, target.database, target.owner)
        try:
            _load(archive, target, tools, staging, role, jobs=jobs, report=report)
            arrived = _verify(archive, target, staging, report)
            report("swapping")
            swap.swap(maintenance, target.database)
        except BaseException:
            swap.drop(maintenance, staging)
            raise
    with connect(target.superuser, "target", autocommit=True) as connection:
        timescale.start_workers(connection)
    return arrived


def _load(
    archive: Archive,
    target: LocalTarget,
    tools: ClientTools,
    staging: str,
    role: str,
    *,
    jobs: int,
    report: Report,
) -> None:
    facts = archive.content["facts"]
    extensions = [Extension(**found) for found in facts["extensions"]]
    hyper = any(found.name == "timescaledb" for found in extensions)
    for extension in extensions:
        # TimescaleDB wants to be the first thing a session does.
        with connect(target.superuser, "target", database=staging, autocommit=True) as connection:
            connection.execute(create_extension(extension).encode())
    with connect(target.superuser, "target", database=staging, autocommit=True) as connection:
        major = connection.info.server_version // 10000
        with timescale.job_owners(connection, facts["job_owners"], target.owner, enabled=hyper):
            if hyper:
                timescale.pre_restore(connection)
            _run_stages(archive, target, tools, staging, role, major, jobs=jobs, report=report)
            if hyper:
                timescale.post_restore(connection)
    report("handing over to the owner")
    with connect(target.superuser, "target", database=staging) as connection:
        _hand_over(connection, role, target)
        connection.commit()
    with connect(target.superuser, "target", database=staging, autocommit=True) as connection:
        report("analysing")
        connection.execute("ANALYZE")


def _run_stages(
    archive: Archive,
    target: LocalTarget,
    tools: ClientTools,
    staging: str,
    role: str,
    major: int,
    *,
    jobs: int,
    report: Report,
) -> None:
    strict = major >= client_tools.TRANSACTION_TIMEOUT_MAJOR
    stages = client_tools.restore_stages(
        database=staging, jobs=jobs, lists=archive.lists, role=role, strict=strict
    )
    for number, command in enumerate(stages, start=1):
        report(f"loading, stage {number} of {len(stages)}")
        answer = tools.run(command, mount=archive.path, server=target.server)
        problem = _problem(answer, strict=strict)
        if problem:
            raise ClientToolError(
                f"stage {number} of the restore failed: {problem}",
                "The live database is untouched; correct the cause and restore again.",
            )


def _problem(answer: Completed, *, strict: bool) -> str | None:
    """Judge a stage: below 17 one complaint about one setting is expected, nothing else."""
    unexpected = client_tools.unexpected_errors(answer.stderr)
    if unexpected:
        return unexpected[0]
    if answer.ok or (not strict and client_tools.UNKNOWN_SETTING in answer.stderr):
        return None
    lines = answer.stderr.strip().splitlines()
    return f"{lines[-1] if lines else 'no message'} (exit code {answer.returncode})"


def _verify(archive: Archive, target: LocalTarget, staging: str, report: Report) -> Receipt:
    with connect(target.superuser, "target", database=staging) as connection:
        arrived = receipt.take(connection, lambda table: report(f"counting {table}"))
    found = receipt.differences(archive.receipt(), arrived)
    if found:
        raise VerificationError(
            f"what arrived differs from archive {archive.name!r}: {'; '.join(found)}",
            "The live database is untouched; keep the archive and report this.",
        )
    return arrived


def _hand_over(connection: Connection, role: str, target: LocalTarget) -> None:
    """Give what was restored to the owner and its use to the application."""
    # Only superusers may own these kinds of objects.
    for kind, query in {
        "EVENT TRIGGER": "SELECT evtname FROM pg_catalog.pg_event_trigger "
        "WHERE evtowner = %s::pg_catalog.regrole",
        "FOREIGN DATA WRAPPER": "SELECT fdwname FROM pg_catalog.pg_foreign_data_wrapper "
        "WHERE fdwowner = %s::pg_catalog.regrole",
    }.items():
        for (name,) in connection.execute(query, [role]).fetchall():
            connection.execute(
                sql.SQL("ALTER {} {} OWNER TO {}").format(
                    sql.SQL(kind), sql.Identifier(name), sql.Identifier(target.superuser.user)
                )
            )
    connection.execute(
        sql.SQL("REASSIGN OWNED BY {} TO {}").format(
            sql.Identifier(role), sql.Identifier(target.owner)
        )
    )
    grant_application_role(connection, target.owner, target.application)


def _available(connection: Connection, extension: str) -> list[str]:
    rows: list[tuple[Any, ...]] = connection.execute(
        "SELECT version FROM pg_catalog.pg_available_extension_versions WHERE name = %s "
        "ORDER BY pg_catalog.string_to_array(version, '.')",
        [extension],
    ).fetchall()
    return [str(version) for (version,) in rows]
