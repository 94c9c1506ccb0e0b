from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from infra.postgres import client_tools

# As pg_restore --list prints it, with an owner whose name has a space in it.
CONTENTS = """\
;
; Archive created at 2026-11-22 10:00:00 UTC
;     dbname: trading
;     TOC Entries: 14
;     Format: DIRECTORY
;
2; 3079 16385 EXTENSION - timescaledb \n\
4149; 0 0 COMMENT - EXTENSION timescaledb \n\
3; 3079 16999 EXTENSION - pg_trgm \n\
4150; 0 0 COMMENT - SCHEMA "public" pg_database_owner
300; 1259 17958 TABLE public quotes Trading Owner
301; 1259 17960 SEQUENCE public quotes_id_seq Trading Owner
302; 1259 17970 TABLE public EXTENSION - timescaledb Trading Owner
4151; 0 0 SEQUENCE SET public quotes_id_seq Trading Owner
3966; 0 16406 TABLE DATA _timescaledb_catalog hypertable Trading Owner
3977; 0 16535 TABLE DATA _timescaledb_catalog chunk_column_stats Trading Owner
3980; 0 16560 TABLE DATA _timescaledb_config bgw_job Trading Owner
4152; 0 0 SEQUENCE SET _timescaledb_catalog hypertable_id_seq Trading Owner
4153; 0 0 SEQUENCE SET _timescaledb_config bgw_job_id_seq Trading Owner
4448; 0 17958 TABLE DATA public quotes Trading Owner
4449; 0 18000 TABLE DATA _timescaledb_internal _hyper_1_1_chunk Trading Owner
4160; 2606 18010 CONSTRAINT public quotes quotes_pkey Trading Owner
"""

PLAIN = """\
300; 1259 17958 TABLE public quotes postgres
4448; 0 17958 TABLE DATA public quotes postgres
"""

HEAD = ["pg_restore", "--no-password", "--no-owner", "--no-privileges", "--no-tablespaces"]
TAIL = ["--dbname=dbname='trading__staging'", "dump"]


def test_a_dump_is_parallel_in_the_given_snapshot() -> None:
    argv = client_tools.pg_dump(database="trading", snapshot="00000003-1", jobs=4)

    assert argv == [
        "pg_dump",
        "--no-password",
        "--format=directory",
        "--file=dump",
        "--jobs=4",
        "--snapshot=00000003-1",
        "--compress=zstd:3",
        "--quote-all-identifiers",
        "--lock-wait-timeout=60s",
        "--dbname=dbname='trading'",
    ]


def test_the_table_of_contents_is_read_from_the_dump() -> None:
    assert client_tools.table_of_contents() == ["pg_restore", "--list", "dump"]


@settings(max_examples=80)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
@example("a=b")
@example("postgresql://elsewhere/x")
@example("it's")
@example("back\\slash'")
@example(" host=evil")
def test_libpq_reads_any_database_name_as_a_name(name: str) -> None:
    argv = client_tools.pg_dump(database=name, snapshot="s", jobs=1)

    conninfo = argv[-1].removeprefix("--dbname=")
    assert conninfo_to_dict(conninfo) == {"dbname": name}


def test_entries_are_split_for_the_stages() -> None:
    assert client_tools.lists(CONTENTS) == {
        "objects.list": """\
4150; 0 0 COMMENT - SCHEMA "public" pg_database_owner
300; 1259 17958 TABLE public quotes Trading Owner
301; 1259 17960 SEQUENCE public quotes_id_seq Trading Owner
302; 1259 17970 TABLE public EXTENSION - timescaledb Trading Owner
4151; 0 0 SEQUENCE SET public quotes_id_seq Trading Owner
4448; 0 17958 TABLE DATA public quotes Trading Owner
4449; 0 18000 TABLE DATA _timescaledb_internal _hyper_1_1_chunk Trading Owner
4160; 2606 18010 CONSTRAINT public quotes quotes_pkey Trading Owner
""",
        "catalog.list": """\
3966; 0 16406 TABLE DATA _timescaledb_catalog hypertable Trading Owner
3980; 0 16560 TABLE DATA _timescaledb_config bgw_job Trading Owner
4152; 0 0 SEQUENCE SET _timescaledb_catalog hypertable_id_seq Trading Owner
4153; 0 0 SEQUENCE SET _timescaledb_config bgw_job_id_seq Trading Owner
""",
        "column-stats.list": """\
3977; 0 16535 TABLE DATA _timescaledb_catalog chunk_column_stats Trading Owner
""",
    }


def test_no_entry_but_the_extensions_is_lost() -> None:
    entries = [line for line in CONTENTS.splitlines() if line[:1].isdigit()]
    listed = "".join(client_tools.lists(CONTENTS).values()).splitlines()

    assert sorted(set(entries) - set(listed)) == [
        "2; 3079 16385 EXTENSION - timescaledb ",
        "3; 3079 16999 EXTENSION - pg_trgm ",
        "4149; 0 0 COMMENT - EXTENSION timescaledb ",
    ]
    assert len(listed) == len(set(listed))


def test_without_timescaledb_there_is_one_list() -> None:
    assert client_tools.lists(PLAIN) == {"objects.list": PLAIN}


def test_a_plain_dump_is_restored_in_three_stages() -> None:
    stages = client_tools.restore_stages(
        database="trading__staging", jobs=4, lists=["objects.list"], role="r", strict=True
    )

    strict = [*HEAD, "--exit-on-error", "--role=r"]
    objects = "--use-list=lists/objects.list"
    assert stages == [
        [*strict, "--section=pre-data", objects, *TAIL],
        [*strict, "--jobs=4", "--section=data", objects, *TAIL],
        [*strict, "--jobs=4", "--section=post-data", objects, *TAIL],
    ]


def test_timescaledbs_catalog_is_loaded_first_and_by_one_worker() -> None:
    stages = client_tools.restore_stages(
        database="trading__staging",
        jobs=4,
        lists=["catalog.list", "column-stats.list", "objects.list"],
        role=None,
        strict=True,
    )

    strict = [*HEAD, "--exit-on-error"]
    objects = "--use-list=lists/objects.list"
    replica = ["env", "PGOPTIONS=-c session_replication_role=replica"]
    statistics = "--use-list=lists/column-stats.list"
    assert stages == [
        [*strict, "--section=pre-data", objects, *TAIL],
        [*strict, "--section=data", "--use-list=lists/catalog.list", *TAIL],
        [*replica, *strict, "--section=data", statistics, *TAIL],
        [*strict, "--jobs=4", "--section=data", objects, *TAIL],
        [*strict, "--jobs=4", "--section=post-data", objects, *TAIL],
    ]


def test_one_job_asks_for_no_parallel_restore() -> None:
    stages = client_tools.restore_stages(
        database="trading__staging", jobs=1, lists=["objects.list"], role=None, strict=True
    )

    assert [word for stage in stages for word in stage if word.startswith("--jobs")] == []


def test_a_restore_that_is_not_strict_goes_on_after_an_error() -> None:
    stages = client_tools.restore_stages(
        database="trading__staging", jobs=1, lists=["objects.list"], role=None, strict=False
    )

    assert stages[0] == [
        *HEAD,
        "--section=pre-data",
        "--use-list=lists/objects.list",
        *TAIL,
    ]


TOLERATED = (
    "pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "
    '"transaction_timeout"'
)


def test_exactly_one_complaint_is_tolerated() -> None:
    stderr = f"{TOLERATED}\nCommand was: SET transaction_timeout = 0;\n"

    assert client_tools.unexpected_errors(stderr) == []


@pytest.mark.parametrize(
    "line",
    [
        'pg_restore: error: could not execute query: ERROR:  relation "x" already exists',
        'pg_restore: error: ERROR:  unrecognized configuration parameter "idle_timeout"',
        "pg_restore: error: a worker process died unexpectedly",
        "pg_restore: fatal: out of memory",
    ],
)
def test_any_other_complaint_is_an_error(line: str) -> None:
    stderr = f"{TOLERATED}\n{line}\npg_restore: warning: errors ignored on restore: 2\n"

    assert client_tools.unexpected_errors(stderr) == [line]


@pytest.mark.parametrize(
    ("version", "major"),
    [
        ("pg_dump (PostgreSQL) 17.6", 17),
        ("pg_dump (PostgreSQL) 14.20 (Debian 14.20-1.pgdg12+1)", 14),
        ("pg_dump (PostgreSQL) 18beta1", 18),
        ("something else", 0),
    ],
)
def test_the_major_version_is_read(version: str, major: int) -> None:
    assert client_tools.major_version(version) == major
