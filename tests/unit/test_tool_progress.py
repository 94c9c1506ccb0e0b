from __future__ import annotations

from pathlib import Path

import pytest

from infra.postgres.client_tools import Stage
from infra.transfer.tool_progress import DumpProgress, ToolProgress

ROWS = Stage((), "rows", "loading rows")
INDEXES = Stage((), "indexes", "making indexes and constraints")

SIZES = {"4032": 446_593, "4033": 21_967, "4034": 16}

# What pg_restore 17 said with --verbose and --jobs=2.
RESTORE = """\
pg_restore: connecting to database for restore
pg_restore: implied data-only restore
pg_restore: processing item 4041 COMMENT SCHEMA "public"
pg_restore: processing item 281 TABLE odd "name.x
pg_restore: entering main parallel loop
pg_restore: launching item 4032 TABLE DATA odd "name.x
pg_restore: launching item 4033 TABLE DATA b
pg_restore: processing data for table "public.b"
pg_restore: finished item 4033 TABLE DATA b
pg_restore: skipping item 3869 CONSTRAINT b b_pkey
pg_restore: launching item 4034 TABLE DATA T t
pg_restore: processing data for table "S p.T t"
pg_restore: processing data for table "public.odd "name.x"
pg_restore: finished item 4034 TABLE DATA T t
pg_restore: launching item 4043 SEQUENCE SET odd_id_seq
pg_restore: executing SEQUENCE SET odd_id_seq
pg_restore: finished item 4043 SEQUENCE SET odd_id_seq
pg_restore: finished item 4032 TABLE DATA odd "name.x
pg_restore: finished main parallel loop
"""

# The same, where two processes wrote at once: a line begins with another's prefix, or has none.
INTERLEAVED = """\
pg_restore: launching item 4032 TABLE DATA odd "name.x
pg_restore: launching item 4033 TABLE DATA b
pg_restore:pg_restore: finished item 4032 TABLE DATA odd "name.x
 processing data for table "public.b"
pg_restore: launching item 4034 TABLE DATA T t
pg_restore:pg_restore: processing data for table "S p.T t"
 finished item 4033 TABLE DATA b
pg_restore: finished item 4034 TABLE DATA T t
"""

POST_DATA = """\
pg_restore: entering main parallel loop
pg_restore: skipping item 4032 TABLE DATA odd "name.x
pg_restore: launching item 3867 CONSTRAINT odd "name.x odd "name.x_pkey
pg_restore: launching item 3869 CONSTRAINT b b_pkey
pg_restore: creating CONSTRAINT "public.b b_pkey"
pg_restore: finished item 3867 CONSTRAINT odd "name.x odd "name.x_pkey
pg_restore: finished item 3869 CONSTRAINT b b_pkey
pg_restore: launching item 3870 INDEX b_x_idx
pg_restore: creating INDEX "public.b_x_idx"
pg_restore: finished item 3870 INDEX b_x_idx
pg_restore: finished main parallel loop
"""

# Without --jobs.
ALONE = """\
pg_restore: connecting to database for restore
pg_restore: implied data-only restore
pg_restore: processing data for table "S p.T t"
pg_restore: processing data for table "public.b"
pg_restore: executing SEQUENCE SET chunk_column_stats_id_seq
"""

DUMP = """\
pg_dump: saving database definition
pg_dump: dumping contents of table "_timescaledb_catalog.tablespace"
pg_dump: finished item 3732 TABLE DATA tablespace
pg_dump: dumping contents of table "public.b"
pg_dump: dumping contents of table "S p.T t"
pg_dump: finished item 4034 TABLE DATA T t
"""

# Two workers of pg_dump that began at once.
DUMP_INTERLEAVED = """\
pg_dump:pg_dump: dumping contents of table "_timescaledb_catalog.hypertable"
 dumping contents of table "public.b"
pg_dump: pg_dump: dumping contents of table "_timescaledb_catalog.dimension_slice"
dumping contents of table "_timescaledb_catalog.dimension"
"""


class Watcher:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int, str]] = []
        self.advances: list[int] = []
        self.busy: dict[int, str] = {}
        self.seen: list[tuple[int, str]] = []

    def stage(self, name: str, *, total: int = 0, unit: str = "") -> None:
        self.stages.append((name, total, unit))

    def advance(self, amount: int) -> None:
        self.advances.append(amount)

    def working(self, worker: int, on: str) -> None:
        self.seen.append((worker, on))
        self.busy[worker] = on


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    (tmp_path / "dump").mkdir()
    for number, size in SIZES.items():
        (tmp_path / "dump" / f"{number}.dat.zst").write_bytes(bytes(size))
    return tmp_path


def follow(watcher: Watcher, archive: Path, stage: Stage, lines: str) -> None:
    shown = ToolProgress(watcher, archive, stage)
    for line in lines.splitlines():
        shown.read(line)


def test_a_table_counts_with_the_bytes_of_its_file(watcher: Watcher, archive: Path) -> None:
    follow(watcher, archive, ROWS, RESTORE)

    assert watcher.stages == [("loading rows", sum(SIZES.values()), "bytes")]
    assert watcher.advances == [21_967, 16, 0, 446_593]


def test_each_worker_says_what_it_is_at(watcher: Watcher, archive: Path) -> None:
    follow(watcher, archive, ROWS, RESTORE)

    assert watcher.seen == [
        (0, 'TABLE DATA odd "name.x'),
        (1, "TABLE DATA b"),
        (1, ""),
        (1, "TABLE DATA T t"),
        (1, ""),
        (1, "SEQUENCE SET odd_id_seq"),
        (1, ""),
        (0, ""),
    ]


def test_no_table_is_lost_where_two_processes_write_at_once(
    watcher: Watcher, archive: Path
) -> None:
    follow(watcher, archive, ROWS, INTERLEAVED)

    assert sum(watcher.advances) == sum(SIZES.values())
    assert set(watcher.busy.values()) == {""}


def test_indexes_are_counted(watcher: Watcher, archive: Path) -> None:
    follow(watcher, archive, INDEXES, POST_DATA)

    assert watcher.stages == [("making indexes and constraints", 0, "objects")]
    assert watcher.advances == [1, 1, 1]
    assert watcher.busy == {0: "", 1: ""}
    # Both are free, and the first one takes it.
    assert watcher.seen[-2:] == [(0, "INDEX b_x_idx"), (0, "")]


def test_without_workers_the_table_is_named(watcher: Watcher, archive: Path) -> None:
    follow(watcher, archive, ROWS, ALONE)

    assert watcher.seen == [(0, "S p.T t"), (0, "public.b")]


def test_the_bytes_of_a_stage_are_those_that_it_loads(watcher: Watcher, archive: Path) -> None:
    (archive / "dump" / "toc.dat").write_bytes(bytes(12_931))

    follow(watcher, archive, ROWS, RESTORE)

    ((_, total, _),) = watcher.stages
    assert sum(watcher.advances) == total


def test_when_it_is_over_nobody_is_busy(watcher: Watcher, archive: Path) -> None:
    shown = ToolProgress(watcher, archive, ROWS)
    for line in RESTORE.splitlines()[:7]:
        shown.read(line)
    assert set(watcher.busy.values()) == {'TABLE DATA odd "name.x', "TABLE DATA b"}

    shown.finish()

    assert watcher.busy == {0: "", 1: ""}


def test_what_was_never_launched_cannot_finish(watcher: Watcher, archive: Path) -> None:
    follow(watcher, archive, ROWS, "pg_restore: finished item 4033 TABLE DATA b\n")

    assert watcher.advances == []


@pytest.mark.parametrize(
    "line",
    [
        "pg_restore: error: could not execute query: ERROR:  launching item 4033 x",
        "pg_restore: launching item ",
        "Command was: pg_restore",
        "",
        "\x1b[2J",
    ],
)
def test_other_lines_say_nothing(watcher: Watcher, archive: Path, line: str) -> None:
    follow(watcher, archive, ROWS, line)

    assert (watcher.advances, watcher.seen) == ([], [])


def follow_dump(watcher: Watcher, lines: str) -> None:
    shown = DumpProgress(watcher, 3)
    for line in lines.splitlines():
        shown.read(line)


def test_a_dump_counts_its_tables(watcher: Watcher) -> None:
    follow_dump(watcher, DUMP)

    assert watcher.stages == [("dumping", 3, "tables")]
    assert watcher.advances == [1, 1, 1]
    assert [on for _, on in watcher.seen] == [
        "_timescaledb_catalog.tablespace",
        "public.b",
        "S p.T t",
    ]


def test_no_dumped_table_is_lost_where_two_processes_write_at_once(watcher: Watcher) -> None:
    follow_dump(watcher, DUMP_INTERLEAVED)

    assert sum(watcher.advances) == 4
