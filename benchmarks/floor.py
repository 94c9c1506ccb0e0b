"""The floor: what a transfer does at the least, typed by hand, on the same server and settings."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from psycopg import sql

from backend.config import Endpoint
from benchmarks import containers, market
from benchmarks.contenders import JOBS, Run
from benchmarks.market import Content
from benchmarks.scene import MARKET, Scene
from infra.engine.tools import socket_volume
from infra.postgres import load_settings

_DATABASE = "bench_floor"
# What `invoke transfer` gives each index of the Compose database with so many jobs.
_MEMORY = "256MB"

# A pair of psql for each unit, the next one as soon as one is through.
_SCRIPT = """
mark() { echo "mark $1 $EPOCHREALTIME"; }
bring() {
  psql "$SOURCE" --command="COPY (SELECT * FROM ONLY $1) TO STDOUT (FORMAT binary)" |
    psql "$TARGET" --command='BEGIN' --command='SET LOCAL synchronous_commit = off' \
      --command="TRUNCATE ONLY $2" --command="COPY $2 FROM STDIN (FORMAT binary, FREEZE)" \
      --command='COMMIT'
}
export -f bring
mark begin
xargs --max-args=2 --max-procs=$JOBS bash -o pipefail -ec 'bring "$0" "$1"' <<<"$UNITS"
mark rows
export PGOPTIONS="-c maintenance_work_mem=$MEMORY"
make() { psql "$TARGET" --command="$1"; }
export -f make
xargs --delimiter='\\n' --max-args=1 --max-procs=$JOBS bash -ec 'make "$0"' <<<"$INDEXES"
mark indexes
while IFS= read -r statement; do make "$statement" </dev/null; done <<<"$FOREIGN_KEYS"
mark keys
"""
_MARK = re.compile(r"^mark (\w+) (\d+\.\d+)$", re.MULTILINE)


@dataclass
class Restarts:
    """The seconds that the server's restarts took, into load settings and out of them."""

    seconds: float = 0.0


def floor(scene: Scene, expected: Content) -> Run:
    """Copy and index by hand; the seconds are those of rows, indexes and keys alone."""
    with _load_settings(scene) as restarts:
        target = scene.database(scene.local, _DATABASE, timescaledb=True)
        units = "\n".join(f"{here} {there}" for here, there in _prepare(scene, target).items())
        ended = containers.run(
            scene.engine,
            _SCRIPT,
            source=replace(scene.source, database=MARKET),
            target=target,
            sockets=socket_volume(scene.checkout.project),
            environment={
                "JOBS": str(JOBS),
                "MEMORY": _MEMORY,
                "UNITS": units,
                "INDEXES": "\n".join(market.INDEXES),
                "FOREIGN_KEYS": "\n".join(market.FOREIGN_KEYS),
            },
        )
    with scene.session(target) as session:
        content = market.content(session)
    scene.drop(scene.local, [_DATABASE])
    parts = _between(ended.output)
    parts["restarts (not counted)"] = restarts.seconds
    failure = "; ".join(filter(None, (ended.failure, content.missing(expected))))
    counted = sum(parts.get(name, 0.0) for name in ("rows", "indexes", "keys"))
    return Run(counted or ended.seconds, content, failure, parts)


@contextmanager
def _load_settings(scene: Scene) -> Iterator[Restarts]:
    """Give the server the settings that big transfers give it, and its own ones back."""
    restarts = Restarts()
    with scene.session(scene.local) as session:
        known = load_settings.before(session)
    try:
        with scene.session(scene.local) as session:
            load_settings.apply(session, known)
        restarts.seconds += scene.restart_local()
        yield restarts
    finally:
        with scene.session(scene.local) as session:
            load_settings.restore(session, known)
        restarts.seconds += scene.restart_local()


def _prepare(scene: Scene, target: Endpoint) -> Mapping[str, str]:
    """Make tables and chunks; return which relation goes into which, the largest first."""
    with (
        scene.session(replace(scene.source, database=MARKET)) as reading,
        scene.session(target) as writing,
    ):
        writing.execute(market.TABLES)
        writing.execute(market.HYPERTABLE)
        there = market.chunks(reading)
        seeds = sql.SQL(" UNION ALL ").join(
            sql.SQL("(SELECT * FROM {} LIMIT 1)").format(sql.SQL(name)) for name in there.values()
        )
        with (
            reading.cursor().copy(sql.SQL("COPY ({}) TO STDOUT").format(seeds)) as rows,
            writing.cursor().copy("COPY public.ticks FROM STDIN") as arriving,
        ):
            for row in rows:
                arriving.write(row)
        here = market.chunks(writing)
        sizes = {
            name: (size, into)
            for name, into in (
                ("public.orders", "public.orders"),
                ("public.symbols", "public.symbols"),
                *((name, here[begin]) for begin, name in there.items()),
            )
            for (size,) in reading.execute("SELECT pg_relation_size(%s::regclass)", [name])
        }
    ordered = sorted(sizes.items(), key=lambda found: -int(found[1][0]))
    return {name: into for name, (_, into) in ordered}


def _between(output: str) -> dict[str, float]:
    marks = [(name, float(moment)) for name, moment in _MARK.findall(output)]
    return {name: moment - before for (_, before), (name, moment) in itertools.pairwise(marks)}
