"""Ways to bring the market from one database into another, each into a fresh one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from benchmarks import containers, market, orchestrator
from benchmarks.market import Content
from benchmarks.scene import LIVE, MARKET, TWIN, Scene
from infra.engine import images

# Copies and indexes that are made at once, by whatever contender.
JOBS = 2
_COPY = "bench"

# What a report calls the proof that a transfer adds to the transport.
_VERIFYING = ("counting and hashing rows", "writing a row into each hypertable")
_RESTARTING = "restarting the database"

_DUMP_RESTORE = """
psql "$TARGET" --command='SELECT public.timescaledb_pre_restore()' >/dev/null
pg_dump --format=custom --compress=0 --dbname="$SOURCE" | pg_restore --dbname="$TARGET"
psql "$TARGET" --command='SELECT public.timescaledb_post_restore()' >/dev/null
"""
_PLAIN_DUMP_RESTORE = """
pg_dump --format=custom --compress=0 --dbname="$SOURCE" |
  pg_restore --no-owner --no-privileges --dbname="$TARGET"
"""
# The order of infra/postgres/client_tools.restore_stages.
_STAGED = """
psql "$TARGET" --command='SELECT public.timescaledb_pre_restore()' >/dev/null
pg_dump --format=directory --jobs=$JOBS --compress=lz4 --file=/tmp/dump --dbname="$SOURCE"
cd /tmp
pg_restore --list dump | grep -v -E ' EXTENSION |TABLE DATA _timescaledb_catalog tablespace' >all
catalog='(TABLE DATA|SEQUENCE SET) (_timescaledb_catalog|_timescaledb_config) '
grep -E "$catalog" all >catalog.list
grep -v -E "$catalog" all >objects.list
restore() { pg_restore --exit-on-error --dbname="$TARGET" "$@" dump; }
restore --section=pre-data --use-list=objects.list
restore --section=data --use-list=catalog.list
restore --section=data --use-list=objects.list --jobs=$JOBS
restore --section=post-data --use-list=objects.list --jobs=$JOBS
psql "$TARGET" --command='SELECT public.timescaledb_post_restore()' >/dev/null
"""
_PGCOPYDB = """
pgcopydb clone --source "$SOURCE" --target "$TARGET" --dir /tmp/pgcopydb \
  --table-jobs $JOBS --index-jobs $JOBS
"""


@dataclass(frozen=True)
class Run:
    """One try of a contender: `failure` is empty where all arrived.

    `cpu` seconds and `peak` bytes are those of `invoke` itself.
    """

    seconds: float
    content: Content
    failure: str = ""
    parts: Mapping[str, float] = field(default_factory=dict)
    cpu: float = 0.0
    peak: int = 0

    @property
    def restarting(self) -> float:
        """Return the seconds of both restarts of the target."""
        return sum(taken for name, taken in self.parts.items() if name.startswith(_RESTARTING))

    @property
    def verifying(self) -> float:
        """Return the seconds of the proof."""
        return sum(taken for name, taken in self.parts.items() if name.startswith(_VERIFYING))


Contender = Callable[[], Run]


def slipway(scene: Scene, to: str, expected: Content) -> Run:
    """Type `invoke transfer` into a target whose live database is fresh."""
    if to == "local":
        server = scene.local
        scene.drop(server)
        scene.checkout.expect("migrate")
        consent = ["--yes"]
    else:
        server = scene.plain
        scene.drop(server)
        scene.database(server, LIVE, owner=scene.owner.user)
        consent = ["--yes", to]
    words = ["transfer", "--from", "source", "--to", to, "--jobs", str(JOBS), *consent]
    measured = orchestrator.measure(scene.checkout, *words)
    live = replace(server, database=LIVE)
    with scene.session(live) as session:
        content = market.content(session)
    scene.drop(server)
    return Run(
        measured.seconds,
        content,
        measured.failure or content.missing(expected),
        _stages(orchestrator.last_report(scene.checkout)),
        measured.cpu,
        measured.peak,
    )


def dump_restore(scene: Scene, expected: Content) -> Run:
    """Pipe pg_dump into pg_restore, as TimescaleDB's manual has it."""
    return _script(scene, _DUMP_RESTORE, expected)


def staged(scene: Scene, expected: Content) -> Run:
    """Dump into a folder and restore it in parallel, in the order that TimescaleDB needs."""
    return _script(scene, _STAGED, expected)


def pgcopydb(scene: Scene, expected: Content, image: str, problem: str) -> Run:
    """Clone with pgcopydb as Debian packages it; `problem` says why there is no image of it."""
    if problem:
        return Run(0.0, Content(0, 0, 0, 0, 0), problem)
    return _script(scene, _PGCOPYDB, expected, image=image)


def plain_dump_restore(scene: Scene, expected: Content) -> Run:
    """Pipe the twin in plain tables into plain PostgreSQL, as the role that `invoke` has there."""
    target = scene.database(scene.plain, _COPY, owner=scene.owner.user)
    as_owner = replace(scene.owner, database=_COPY)
    source = replace(scene.source, database=TWIN)
    ended = containers.run(scene.engine, _PLAIN_DUMP_RESTORE, source=source, target=as_owner)
    with scene.session(target) as session:
        content = market.content(session)
    scene.drop(scene.plain, [_COPY])
    return Run(ended.seconds, content, ended.failure or content.missing(expected))


def _script(scene: Scene, script: str, expected: Content, image: str = images.TOOLS) -> Run:
    target = scene.database(scene.local, _COPY, timescaledb=True)
    ended = containers.run(
        scene.engine,
        script,
        source=replace(scene.source, database=MARKET),
        target=target,
        image=image,
        environment={"JOBS": str(JOBS)},
    )
    with scene.session(target) as session:
        content = market.content(session)
    scene.drop(scene.local, [_COPY])
    missing = content.missing(expected)
    return Run(ended.seconds, content, "; ".join(filter(None, (ended.failure, missing))))


def _stages(report: Mapping[str, object]) -> dict[str, float]:
    """Return the seconds of each stage; one that comes again gets a number."""
    stages = report.get("stages")
    found: dict[str, float] = {}
    for stage in stages if isinstance(stages, list) else []:
        name, number = str(stage["name"]), 1
        while (label := name if number == 1 else f"{name} ({number})") in found:
            number += 1
        found[label] = float(stage["seconds"])
    return found
