from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from infra.postgres import client_tools
from infra.postgres.client_tools import Stage

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
        "--verbose",
        "--dbname=dbname='trading'",
    ]


def test_the_table_of_contents_is_read_from_the_dump() -> None:
    assert client_tools.table_of_contents() == ["pg_restore", "--list", "dump"]


def test_the_table_of_contents_of_one_section_is_read_by_itself() -> None:
    assert client_tools.table_of_contents("post-data") == [
        "pg_restore",
        "--list",
        "--section=post-data",
        "dump",
    ]


def test_a_schema_is_dumped_without_rows_and_without_what_is_nobodys() -> None:
    argv = client_tools.schema_dump(database="it's", snapshot="00000003-1")

    assert argv == [
        "pg_dump",
        "--no-password",
        "--format=custom",
        "--file=dump",
        "--schema-only",
        "--snapshot=00000003-1",
        "--quote-all-identifiers",
        "--lock-wait-timeout=60s",
        "--exclude-schema=_timescaledb_*",
        "--exclude-schema=slipway_partitions",
        "--exclude-schema=slipway_stream",
        "--dbname=dbname='it\\'s'",
    ]


@pytest.mark.parametrize(
    ("jobs", "strict", "words"),
    [
        (1, True, ["--exit-on-error"]),
        (4, True, ["--exit-on-error", "--jobs=4"]),
        (1, False, []),
        (3, False, ["--jobs=3"]),
    ],
)
def test_the_entries_of_a_list_are_restored(jobs: int, *, strict: bool, words: list[str]) -> None:
    argv = client_tools.pg_restore(
        database="trading__staging",
        list_file="entries.list",
        jobs=jobs,
        strict=strict,
    )

    options = ["--verbose", "--use-list=entries.list"]
    assert argv == (*HEAD, *words, *options, *TAIL)


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
    assert client_tools.lists(CONTENTS, orphaned_statistics=True) == {
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


def test_column_statistics_that_are_sound_belong_to_the_catalog() -> None:
    split = client_tools.lists(CONTENTS)

    assert sorted(split) == ["catalog.list", "objects.list"]
    assert " chunk_column_stats " in split["catalog.list"]


@pytest.mark.parametrize("orphaned", [True, False])
def test_no_entry_but_the_extensions_is_lost(*, orphaned: bool) -> None:
    entries = [line for line in CONTENTS.splitlines() if line[:1].isdigit()]
    split = client_tools.lists(CONTENTS, orphaned_statistics=orphaned)
    listed = "".join(split.values()).splitlines()

    assert sorted(set(entries) - set(listed)) == [
        "2; 3079 16385 EXTENSION - timescaledb ",
        "3; 3079 16999 EXTENSION - pg_trgm ",
        "4149; 0 0 COMMENT - EXTENSION timescaledb ",
    ]
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize(
    "entry",
    [
        "5; 2328 1 FOREIGN DATA WRAPPER - dummy postgres",
        "6; 1417 2 SERVER - elsewhere postgres",
        "7; 0 0 USER MAPPING - USER MAPPING postgres SERVER elsewhere postgres",
        "8; 3466 3 EVENT TRIGGER - on_ddl postgres",
        "9; 6100 4 SUBSCRIPTION - sub postgres",
        "10; 1259 5 FOREIGN TABLE public remote postgres",
        "11; 0 0 COMMENT - EVENT TRIGGER on_ddl postgres",
        "12; 0 0 COMMENT - SERVER elsewhere postgres",
        "13; 0 0 SECURITY LABEL public TABLE quotes postgres",
        "14; 0 0 TABLE DATA _timescaledb_catalog tablespace postgres",
    ],
)
def test_what_only_a_superuser_may_make_is_in_no_list(entry: str) -> None:
    assert client_tools.lists(f"{PLAIN}{entry}\n") == {"objects.list": PLAIN}


@pytest.mark.parametrize(
    "entry",
    [
        "15; 1259 6 TABLE public SERVER postgres",
        '16; 0 0 COMMENT public TABLE "SERVER - elsewhere" postgres',
        "17; 1259 7 TABLE public FOREIGN TABLE postgres",
        "18; 0 0 TABLE DATA public tablespace postgres",
        "19; 6104 8 PUBLICATION - some postgres",
    ],
)
def test_what_only_sounds_like_it_is_carried(entry: str) -> None:
    text = f"{PLAIN}{entry}\n"

    assert client_tools.lists(text, without_publications=["every"]) == {"objects.list": text}


# As pg_restore --list of 17 prints what belongs to a foreign table.
FOREIGN = """\
217; 1259 95473 FOREIGN TABLE public remote postgres
3432; 0 0 COMMENT public FOREIGN TABLE "remote" postgres
3433; 0 0 COMMENT public COLUMN "remote"."id" postgres
3434; 0 0 COMMENT public CONSTRAINT "remote_id_check" ON "remote" postgres
3276; 3381 95480 STATISTICS public st postgres
3277; 2620 95479 TRIGGER public remote tr postgres
3436; 0 0 COMMENT public TRIGGER "tr" ON "remote" postgres
"""


@pytest.mark.parametrize("entry", FOREIGN.splitlines()[1:4] + FOREIGN.splitlines()[5:])
def test_what_belongs_to_a_foreign_table_is_left_out_with_it(entry: str) -> None:
    text = f"{PLAIN}{FOREIGN.splitlines()[0]}\n{entry}\n"

    assert client_tools.lists(text) == {"objects.list": PLAIN}


PUBLICATIONS = """\
3424; 6104 95482 PUBLICATION - every table postgres
3423; 6104 95481 PUBLICATION - every postgres
3437; 0 0 COMMENT - PUBLICATION "every" postgres
3438; 0 0 COMMENT - PUBLICATION "every table" postgres
"""


def test_publications_that_are_named_are_left_out_with_their_comments() -> None:
    first, second, comment, other = PUBLICATIONS.splitlines()

    def kept(*names: str) -> list[str]:
        split = client_tools.lists(PLAIN + PUBLICATIONS, without_publications=names)
        return split["objects.list"].removeprefix(PLAIN).splitlines()

    assert kept() == [first, second, comment, other]
    assert kept("every table") == [second, comment]
    assert kept("every") == [first, other]


@pytest.mark.parametrize(
    "entry",
    [
        "19; 6104 8 PUBLICATION - every Trading Owner",
        "20; 1259 9 FOREIGN TABLE public remote Trading Owner",
    ],
)
def test_an_owner_whose_name_has_a_space_hides_nothing(entry: str) -> None:
    comment = '21; 0 0 COMMENT public COLUMN "remote"."id" Trading Owner'
    text = f"{PLAIN}{entry}\n" + (f"{comment}\n" if "remote" in entry else "")

    assert client_tools.lists(
        text, owners=["postgres", "Trading Owner"], without_publications=["every"]
    ) == {"objects.list": PLAIN}


def test_without_timescaledb_there_is_one_list() -> None:
    assert client_tools.lists(PLAIN) == {"objects.list": PLAIN}


def restore(section: str, name: str, *words: str, before: tuple[str, ...] = ()) -> tuple[str, ...]:
    options = ("--verbose", f"--section={section}", f"--use-list=lists/{name}")
    return (*before, *HEAD, *words, *options, *TAIL)


def test_a_plain_dump_is_restored_in_three_stages() -> None:
    stages = client_tools.restore_stages(
        database="trading__staging", jobs=4, lists=["objects.list"], strict=True
    )

    strict = ("--exit-on-error",)
    parallel = (*strict, "--jobs=4")
    assert stages == [
        Stage(restore("pre-data", "objects.list", *strict), "schema", "making tables and types"),
        Stage(restore("data", "objects.list", *parallel), "rows", "loading rows"),
        Stage(
            restore("post-data", "objects.list", *parallel),
            "indexes",
            "making indexes and constraints",
        ),
    ]


def test_timescaledbs_catalog_is_loaded_first_by_one_worker_as_superuser() -> None:
    stages = client_tools.restore_stages(
        database="trading__staging",
        jobs=4,
        lists=["catalog.list", "column-stats.list", "objects.list"],
        strict=True,
    )

    strict = ("--exit-on-error",)
    replica = ("env", "PGOPTIONS=-c session_replication_role=replica")
    assert [stage.argv for stage in stages] == [
        restore("pre-data", "objects.list", *strict),
        restore("data", "catalog.list", *strict),
        restore("data", "column-stats.list", *strict, before=replica),
        restore("data", "objects.list", *strict, "--jobs=4"),
        restore("post-data", "objects.list", *strict, "--jobs=4"),
    ]
    assert [stage.reaches for stage in stages] == ["schema", "rows", "rows", "rows", "indexes"]
    # Nothing that the source wrote itself is run as a superuser.
    assert [stage.superuser for stage in stages] == [False, True, True, False, False]
    assert len({stage.title for stage in stages}) == len(stages)


def test_one_job_asks_for_no_parallel_restore() -> None:
    stages = client_tools.restore_stages(
        database="trading__staging", jobs=1, lists=["objects.list"], strict=True
    )

    assert [word for stage in stages for word in stage.argv if word.startswith("--jobs")] == []


def test_a_restore_that_is_not_strict_goes_on_after_an_error() -> None:
    stages = client_tools.restore_stages(
        database="trading__staging", jobs=1, lists=["objects.list"], strict=False
    )

    assert stages[0].argv == restore("pre-data", "objects.list")


def test_the_sequences_of_the_source_are_a_list() -> None:
    assert client_tools.sequence_entries(CONTENTS) == (
        "4151; 0 0 SEQUENCE SET public quotes_id_seq Trading Owner\n"
    )
    assert client_tools.sequence_entries(PLAIN) == ""


def test_statements_of_a_list_are_printed_and_not_run() -> None:
    assert client_tools.print_entries("sequences.list") == [
        "pg_restore",
        "--section=data",
        "--use-list=sequences.list",
        "--file=-",
        "dump",
    ]


SETVALS = """\
-- Name: quotes_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('"public"."quotes_id_seq"', 42, true);


SELECT pg_catalog.setval('"odd ""schema"."it''s.a"', -9223372036854775808, false);


SELECT pg_catalog.setval('public.plain', 1, false);
"""


def test_the_values_of_sequences_are_read_from_the_statements() -> None:
    assert client_tools.sequence_values(SETVALS) == {
        ("public", "quotes_id_seq"): (42, True),
        ('odd "schema', "it's.a"): (-(2**63), False),
        ("public", "plain"): (1, False),
    }
    assert client_tools.sequence_values("") == {}


def test_a_sequences_name_is_no_statement() -> None:
    hostile = """\
SELECT pg_catalog.setval('"public"."a"', 1, true);

-- Name: setval('"public"."a"', 99, true); Type: SEQUENCE SET; Schema: public; Owner: -
SELECT pg_catalog.setval('"public"."setval(''""public"".""a""'', 99, true)"', 2, true);
"""

    assert client_tools.sequence_values(hostile) == {
        ("public", "a"): (1, True),
        ("public", """setval('"public"."a"', 99, true)"""): (2, True),
    }


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


def test_a_complaint_that_other_workers_tear_apart_is_read_as_one() -> None:
    expected = f"could not execute query: ERROR:  {client_tools.UNKNOWN_SETTING}"
    torn = (
        "pg_restore: error: pg_restore: finished item 3278 CONSTRAINT parent parent_pkey\n"
        "pg_restore: launching item 3280 INDEX x\n"
    )

    assert client_tools.unexpected_errors(f"{torn}{expected}\n") == []
    assert client_tools.unexpected_errors(f"{torn}could not connect\n") == [
        "pg_restore: error: could not connect"
    ]
