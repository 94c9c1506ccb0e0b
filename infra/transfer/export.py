"""Export: the source becomes an archive, read in one snapshot and never written to."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backend.config import Endpoint
from infra.engine.tools import ClientTools, Server
from infra.errors import ClientToolError, RefusedError
from infra.postgres import client_tools, inventory, names
from infra.postgres.connection import Connection, connect
from infra.postgres.inventory import Facts
from infra.postgres.survey import Survey
from infra.process import Completed
from infra.transfer import archive, counting
from infra.transfer.archive import Archive
from infra.transfer.journal import Journal
from infra.transfer.plan import Plan
from infra.transfer.progress import Progress
from infra.transfer.receipt import Receipt
from infra.transfer.tool_progress import DumpProgress

_COMPLAINT = re.compile(r"^pg_(?:dump|restore): error: ")


@dataclass(frozen=True)
class Source:
    """The old install: its endpoint, and how a client-tool container reaches it."""

    endpoint: Endpoint
    server: Server


@dataclass(frozen=True)
class Planned:
    """What was found at the source, what becomes of it, and the version of the client tools."""

    survey: Survey
    plan: Plan
    client: str


def export(
    source: Source,
    tools: ClientTools,
    folder: Path,
    *,
    planned: Planned,
    journal: Journal,
    jobs: int,
    progress: Progress,
) -> Archive:
    """Dump the source into a new archive below `folder`, as planned.

    Raises SourceError, or ClientToolError when pg_dump fails. Interrupted, it leaves nothing
    behind.
    """

    @contextmanager
    def connection_to_source() -> Iterator[Connection]:
        with connect(source.endpoint, "source", autocommit=False) as connection:
            yield connection

    now = datetime.now(UTC)
    database = source.endpoint.database
    partial = archive.path_of(folder, database, now)
    record = journal.begin(
        "export-local", database=database, archive=archive.final_path(partial).name
    )
    record.reach("surveyed", partial=str(partial))
    try:
        with counting.snapshot(connection_to_source) as moment:
            archive.begin(partial)
            facts = inventory.facts(moment.connection)
            command = client_tools.pg_dump(
                database=database,
                snapshot=moment.name,
                jobs=jobs,
                without=planned.survey.platform_schemas,
            )
            shown = DumpProgress(progress, counting.relations_in(moment))
            checked(tools.run(command, mount=partial, server=source.server, on_stderr=shown.read))
            record.reach("dumped")
            counted = counting.take(moment, connection_to_source, jobs=jobs, progress=progress)
            record.reach("counted")
        progress.stage("sealing the archive")
        contents = checked(tools.run(client_tools.table_of_contents(), mount=partial)).stdout
        counted = _with_sequences(counted, tools, partial, contents)
        lists = _write_lists(partial, contents, planned.survey)
        archive.write_text(partial / archive.RECEIPT, _to_json(counted.as_json()))
        sealed = archive.seal(
            partial,
            _content(source.endpoint, facts, counted, now)
            | {"client": planned.client}
            | {"survey": planned.survey.as_json(), "plan": planned.plan.as_json()}
            | {"commands": {"dump": shlex.join(command), "restore": by_hand(facts, lists)}},
        )
        record.reach("sealed")
    except OSError as error:
        archive.discard(partial)
        record.close("failed")
        raise RefusedError(
            f"archive folder {folder} cannot be written: {error.strerror}",
            "Make room on that disk and export again; the unfinished archive was removed.",
        ) from error
    except BaseException:
        archive.discard(partial)
        record.close("failed")
        raise
    record.close("done")
    return sealed


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
    commands += [
        list(stage.argv)
        for stage in client_tools.restore_stages(
            database="restored", jobs=2, lists=lists, strict=True
        )
    ]
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


def checked(answer: Completed) -> Completed:
    """Pass a success on; ClientToolError with the tool's own complaint otherwise."""
    if answer.ok:
        return answer
    lines = [line.strip() for line in answer.stderr.splitlines() if line.strip()]
    complaint = next((line for line in lines if _COMPLAINT.match(line)), "".join(lines[-1:]))
    raise ClientToolError(
        f"{complaint or 'the client tool failed'} (exit code {answer.returncode})",
        "The source was only read and no archive was made; correct the cause and export again.",
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _with_sequences(counted: Receipt, tools: ClientTools, partial: Path, contents: str) -> Receipt:
    """Give sequences the values that the dump has.

    They belong to no snapshot: a source that is written to counts on between dump and receipt.
    """
    entries = client_tools.sequence_entries(contents)
    if not entries:
        return counted
    name = "sequences.list"
    archive.write_text(partial / name, entries)
    printed = checked(tools.run(client_tools.print_entries(name), mount=partial)).stdout
    (partial / name).unlink()
    values = client_tools.sequence_values(printed)
    return replace(
        counted,
        objects=tuple(
            replace(found, properties=found.properties | _state(values, found.name))
            if found.kind == "sequence"
            else found
            for found in counted.objects
        ),
    )


def _state(values: dict[tuple[str, ...], tuple[int, bool]], sequence: str) -> dict[str, int | bool]:
    found = values.get(names.parts(sequence))
    return {"last_value": found[0], "is_called": found[1]} if found else {}


def _write_lists(partial: Path, contents: str, survey: Survey) -> list[str]:
    lists = client_tools.lists(
        contents,
        owners=[".".join(names.parts(owner)) for owner in survey.owners],
        without_publications=(
            *survey.publications_for_all_tables,
            *survey.publications_for_schemas,
            *survey.platform_publications,
        ),
        without_entries=survey.platform_entries,
        orphaned_statistics=bool(survey.timescaledb and survey.timescaledb.orphaned_column_stats),
    )
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


def _to_json(value: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
