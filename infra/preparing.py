"""What a transfer is made with: both ends looked at, only reading, and the plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from backend import pooling
from backend.config import Endpoint
from infra import archives
from infra.engine import tools as client_images
from infra.engine.client import Engine
from infra.engine.tools import ClientTools
from infra.errors import RefusedError, UsageError
from infra.postgres import (
    changes,
    client_tools,
    inventory,
    relations,
    role,
    shared_database,
    survey,
    target,
)
from infra.postgres.connection import Connection, connect
from infra.postgres.survey import Survey
from infra.settings import Settings
from infra.targets import CAPABILITIES
from infra.transfer import plan as planning
from infra.transfer import prediction, shared_findings, swap
from infra.transfer.destination import Destination
from infra.transfer.export import Source
from infra.transfer.plan import Plan
from infra.transfer.shared_findings import Shared
from infra.transfer.stream import conversions
from infra.transfer.stream.options import Options, fitted

# From so many bytes on a restart before and after the load is worth its while.
_WORTH_A_RESTART = 1 << 30
_LOCAL = {"source", "local"}


@dataclass(frozen=True)
class Prepared:
    """What was found at both ends, and what becomes of it with the options that both allow.

    `timescaledb` says whether the target will have it, `restarts` whether its server gets load
    settings; `written` is the source's count of changes, `shared` what a load in place meets.
    """

    survey: Survey
    plan: Plan
    timescaledb: bool
    restarts: bool
    options: Options
    written: int
    shared: Shared | None


class Preparation:
    """Looks at the two ends of a transfer."""

    def __init__(self, settings: Settings, engine: Engine, tools: ClientTools) -> None:
        self._settings = settings
        self._engine = engine
        self._tools = tools

    def ends(self, origin: str, to: str, options: Options) -> tuple[Source, Destination]:
        """Find both ends; UsageError, ConfigurationError, RefusedError where one is none."""
        for name, option, what in ((origin, "--from", "read"), (to, "--to", "replace")):
            if not name:
                raise UsageError(
                    f"{option} is missing",
                    f"Name the target to {what}: `invoke transfer --from source --to local`.",
                )
        archives.check_jobs(options.jobs)
        if origin == to:
            raise UsageError(f"--from and --to are both {to!r}", "Name two targets.")
        endpoint = self._settings.highest(origin)
        server = client_images.server(
            endpoint, self._settings.project, desktop=self._engine.is_desktop()
        )
        if to == "source":
            raise RefusedError("the source is only read", "Choose another target with --to.")
        found = Source(endpoint, server), self.destination(to)
        if origin not in _LOCAL:
            with connect(endpoint, "source"):
                pooling.require_whole_sessions(endpoint)
        return found

    def destination(self, name: str) -> Destination:
        """Return a target as a place to load into; UsageError where it is not configured."""
        admin, superuser = self._settings.admin(name), self._settings.highest(name)
        project, desktop = self._settings.project, self._engine.is_desktop()
        owner, application = admin.user, self._settings.app(name).user
        schemas: tuple[str, ...] = ()
        if name not in _LOCAL:
            with connect(superuser, "target") as connection:
                pooling.require_whole_sessions(superuser)
                owner = role.known_as(connection, owner)
                application = role.known_as(connection, application)
                schemas = shared_database.schemas(connection)
        return Destination(
            superuser=superuser,
            owner=admin,
            role=owner,
            application=application,
            superuser_server=client_images.server(superuser, project, desktop=desktop),
            owner_server=client_images.server(admin, project, desktop=desktop),
            in_place=not CAPABILITIES[name].renames_databases,
            platform_schemas=schemas,
        )

    def prepare(
        self, source: Source, there: Destination, asked: Options, *, discard: bool
    ) -> Prepared:
        """Survey both ends and make the plan; SourceError, TargetError, RefusedError."""
        client = archives.client_version(self._settings, self._tools)
        local = there.target == "local"
        with (
            connect(
                there.superuser,
                "target",
                database=there.database if there.in_place else swap.MAINTENANCE,
                autocommit=True,
            ) as writing,
            connect(source.endpoint, "source", autocommit=False) as reading,
        ):
            reading.read_only = True
            if not inventory.has_tables(reading):
                raise RefusedError(
                    f"{source.endpoint.target} database {source.endpoint.database!r} holds no "
                    "tables",
                    f"Check the name of the database of target {source.endpoint.target} in .env.",
                )
            found = survey.take(reading)
            options = fitted(
                asked,
                source=_room(reading, source.endpoint),
                target=_room(writing, there.superuser),
            )
            facts = target.read(
                writing,
                found,
                database=there.database,
                previous=swap.previous_name(there.database),
                owner=there.role,
                free=self._engine.free_bytes(self._settings.project, "db") if local else None,
            )
            sampled = prediction.sample_source(reading, found, jobs=options.jobs, seconds_limit=1.0)
            expected = replace(
                prediction.for_target(
                    writing, found, verification_seconds=sampled.seconds, jobs=options.jobs
                ),
                # The source's statistics know nothing of what came a minute ago.
                rows=sampled.rows,
            )
            tables = conversions.read(
                reading,
                relations.tables(reading),
                options,
                timescaledb=_has_timescaledb(found, facts, options),
                reads_all_rows=role.reads_all_rows(writing),
            )
            shared = _shared(reading, writing, discard=discard) if there.in_place else None
            written = changes.written(reading)
        restarts = local and expected.target_bytes >= _WORTH_A_RESTART
        plan = planning.for_stream(
            found,
            facts,
            tables,
            shared=shared_findings.of_target(found, shared) if shared else None,
            restarts=restarts,
            fewer_jobs=None if options == asked else options.jobs,
            client_major=client_tools.major_version(client),
            prediction=expected,
        )
        return Prepared(found, plan, tables.timescaledb, restarts, options, written, shared)


def _shared(reading: Connection, writing: Connection, *, discard: bool) -> Shared:
    return Shared(
        shared_database.read(writing),
        shared_database.used_extensions(reading),
        writing.info.dbname,
        discard=discard,
    )


def _room(connection: Connection, endpoint: Endpoint) -> int:
    found = role.room(connection)
    if endpoint.target in _LOCAL or pooling.kind(endpoint) != "session":
        return found
    return min(found, role.SESSION_PLACES)


def _has_timescaledb(source: Survey, there: target.TargetFacts, options: Options) -> bool:
    """Tell whether the staging database gets TimescaleDB."""
    wanted: Any = source.timescaledb or options.hypertables
    return bool(wanted and there.extensions.get("timescaledb"))
