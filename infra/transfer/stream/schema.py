"""The schema of a stream: dumped by `pg_dump`, restored by `pg_restore`, in parts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from infra.engine.tools import ClientTools, Server
from infra.errors import SourceLostError, TargetLostError
from infra.postgres import client_tools
from infra.postgres.connection import Connection
from infra.postgres.schema_dump import RELATIONS, Catalog, PostData, post_data, pre_data
from infra.postgres.survey import Survey
from infra.transfer.export import checked
from infra.transfer.restore import require
from infra.transfer.stream.layouts import Layouts

_LIST = "entries.list"
_LOST_HINT = "Run the same command again: it goes on with what is missing."


class Schema:
    """A dump of everything but rows, in a folder of its own."""

    def __init__(
        self, tools: ClientTools, folder: Path, catalog: Catalog, survey: Survey, layouts: Layouts
    ) -> None:
        self._tools = tools
        self._folder = folder
        self._catalog = catalog
        self._survey = survey
        self._layouts = layouts
        self._converted = {*layouts.views, *(table.oid for table in layouts.converted)}
        self._left_out = {(RELATIONS, view) for view in layouts.views}

    def dump(self, server: Server, database: str, snapshot: str, *, without: Sequence[str]) -> None:
        """Dump in the given snapshot, but no schema of `without`; ClientToolError if that fails."""
        command = client_tools.schema_dump(database=database, snapshot=snapshot, without=without)
        answer = self._tools.run(command, mount=self._folder, server=server)
        if not answer.ok and client_tools.lost_connection(answer.stderr):
            raise SourceLostError("the source went away while its schema was dumped", _LOST_HINT)
        checked(answer)

    def restore_tables(
        self, server: Server, database: str, *, strict: bool, convert: Callable[[int], None]
    ) -> None:
        """Make tables and types; `convert` is called for each table that is to be another kind."""
        steps = pre_data(
            self._contents("pre-data"),
            self._catalog,
            converted=self._converted,
            absorbed=self._layouts.absorbed,
            left_out=self._left_out,
        )
        for step in steps:
            self._restore(step.entries, server, database, strict=strict)
            if step.converts is not None:
                convert(step.converts)

    def after_rows(self, present: Collection[str]) -> PostData:
        """Sort the entries of the section after the rows, but those that are there already."""
        return post_data(
            self._contents("post-data"),
            self._catalog,
            converted=self._converted,
            absorbed=self._layouts.absorbed,
            left_out=self._left_out,
            present=present,
        )

    def restore_entries(
        self,
        entries: Sequence[str],
        server: Server,
        database: str,
        *,
        strict: bool,
        jobs: int,
        memory: str | None,
    ) -> None:
        """Restore entries of the section after the rows, several at once."""
        self._restore(entries, server, database, strict=strict, jobs=jobs, memory=memory)

    def _contents(self, section: str) -> str:
        listed = checked(
            self._tools.run(client_tools.table_of_contents(section), mount=self._folder)
        ).stdout
        survey = self._survey
        lists = client_tools.lists(
            listed,
            owners=survey.owners,
            without_publications=(
                *survey.publications_for_all_tables,
                *survey.publications_for_schemas,
            ),
        )
        return lists.get("objects.list", "")

    def _restore(
        self,
        entries: Sequence[str],
        server: Server,
        database: str,
        *,
        strict: bool,
        jobs: int = 1,
        memory: str | None = None,
    ) -> None:
        if not entries:
            return
        text = "\n".join(entries) + "\n"
        (self._folder / _LIST).write_text(text, encoding="utf-8", newline="\n")
        command = client_tools.pg_restore(
            database=database, list_file=_LIST, jobs=jobs, strict=strict
        )
        if memory is not None:
            command = ("env", f"PGOPTIONS=-c maintenance_work_mem={memory}", *command)
        answer = self._tools.run(command, mount=self._folder, server=server)
        if not answer.ok and client_tools.lost_connection(answer.stderr):
            raise TargetLostError("the target went away while objects were made", _LOST_HINT)
        require(answer, strict=strict, doing="making what the schema's dump holds")


def is_strict(connection: Connection) -> bool:
    """Tell whether the server knows every setting that pg_restore sets."""
    return connection.info.server_version // 10000 >= client_tools.TRANSACTION_TIMEOUT_MAJOR
