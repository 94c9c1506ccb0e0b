"""Export: the source becomes an archive, read in one snapshot and never written to."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from backend.config import Endpoint
from infra.engine.tools import ClientTools, Server
from infra.errors import ClientToolError, RefusedError
from infra.postgres import client_tools, inventory
from infra.postgres.connection import Connection, connect
from infra.postgres.inventory import Facts
from infra.process import Completed
from infra.transfer import archive, receipt
from infra.transfer.archive import Archive
from infra.transfer.receipt import Receipt

Report = Callable[[str], None]


def export(
    source: Endpoint, server: Server, tools: ClientTools, folder: Path, *, jobs: int, report: Report
) -> Archive:
    """Dump the source into a new archive below `folder`.

    Raises SourceError, RefusedError before anything is written, ClientToolError when pg_dump
    fails. Interrupted, it leaves nothing behind.
    """
    with connect(source, "source", autocommit=False) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        facts = inventory.facts(connection)
        if not inventory.tables(connection):
            raise RefusedError(
                f"source database {source.database!r} holds no tables",
                "Check SOURCE_DB_NAME in .env.",
            )
        now = datetime.now(UTC)
        partial = archive.begin(folder, source.database, now)
        try:
            client = _client_version(tools, partial, facts)
            command = client_tools.pg_dump(
                database=source.database, snapshot=_export_snapshot(connection), jobs=jobs
            )
            report("dumping")
            _checked(tools.run(command, mount=partial, server=server))
            counted = receipt.take(connection, lambda table: report(f"counting {table}"))
            lists = _write_lists(tools, partial)
            archive.write_text(partial / archive.RECEIPT, _to_json(counted.as_json()))
            return archive.seal(
                partial,
                _content(source, facts, counted, now)
                | {"client": client}
                | {"commands": {"dump": shlex.join(command), "restore": by_hand(facts, lists)}},
            )
        except BaseException:
            archive.discard(partial)
            raise


def by_hand(facts: Facts, lists: list[str]) -> list[str]:
    """Write the commands that restore the archive into a database named `restored`.

    They run in the archive's folder, with PGHOST, PGUSER and PGPASSWORD of a superuser set, as
    `docker compose run --rm tools sh` has them.
    """
    commands = [["createdb", "--template=template0", "--encoding=UTF8", "restored"]]
    psql = ["psql", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--dbname=restored"]
    commands += [[*psql, f"--command={create_extension(found)}"] for found in facts.extensions]
    if facts.timescaledb:
        schema = _quoted(facts.timescaledb.schema)
        commands.append([*psql, f"--command=SELECT {schema}.timescaledb_pre_restore()"])
    commands += client_tools.restore_stages(
        database="restored", jobs=2, lists=lists, role=None, strict=True
    )
    if facts.timescaledb:
        commands.append([*psql, f"--command=SELECT {schema}.timescaledb_post_restore()"])
    commands.append([*psql, "--command=ANALYZE"])
    return [shlex.join(command) for command in commands]


def create_extension(extension: inventory.Extension) -> str:
    """Write the statement that creates an extension in the schema where the source had it.

    TimescaleDB's catalog fits one version only; other extensions come in the target's own.
    """
    name, schema = _quoted(extension.name), _quoted(extension.schema)
    statement = f"CREATE EXTENSION IF NOT EXISTS {name} WITH SCHEMA {schema}"
    if extension.schema not in {"public", "pg_catalog"}:
        statement = f"CREATE SCHEMA IF NOT EXISTS {schema}; {statement}"
    if extension.name == "timescaledb":
        statement += f" VERSION {_quoted(extension.version)}"
    return statement


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _client_version(tools: ClientTools, mount: Path, facts: Facts) -> str:
    version = _checked(tools.run(["pg_dump", "--version"], mount=mount)).stdout.strip()
    if client_tools.major_version(version) < facts.major:
        raise RefusedError(
            f"{version} cannot dump a server of version {facts.major}",
            f"Set TOOLS_IMAGE in .env to an image with version {facts.major} or newer.",
        )
    return version


def _export_snapshot(connection: Connection) -> str:
    row = connection.execute("SELECT pg_catalog.pg_export_snapshot()").fetchone()
    return str(row[0]) if row else ""


def _write_lists(tools: ClientTools, partial: Path) -> list[str]:
    answer = _checked(tools.run(client_tools.table_of_contents(), mount=partial))
    lists = client_tools.lists(answer.stdout)
    (partial / client_tools.LISTS).mkdir()
    for name, text in lists.items():
        archive.write_text(partial / client_tools.LISTS / name, text)
    return sorted(lists)


def _content(source: Endpoint, facts: Facts, counted: Receipt, now: datetime) -> dict[str, Any]:
    return {
        "created": now.isoformat(timespec="seconds"),
        "source": {
            "host": source.host,
            "port": source.port,
            "database": source.database,
            "user": source.user,
        },
        "facts": asdict(facts),
        "tables": len(counted.tables),
        "rows": counted.rows,
    }


def _checked(answer: Completed) -> Completed:
    """Pass a success on; ClientToolError with the tool's own complaint otherwise."""
    if answer.ok:
        return answer
    lines = [line.strip() for line in answer.stderr.splitlines() if line.strip()]
    complaint = next((line for line in lines if "error:" in line), "".join(lines[-1:]))
    raise ClientToolError(
        f"{complaint or 'the client tool failed'} (exit code {answer.returncode})",
        "The source was only read and no archive was made; correct the cause and export again.",
    )


def _to_json(value: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
