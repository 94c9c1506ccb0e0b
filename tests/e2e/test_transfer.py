"""Databases are streamed between servers of every kind, by the commands a user types."""

from __future__ import annotations

import json

import pytest
from psycopg import sql

from tests.e2e.test_bad_input import complaint
from tests.faults.sources import load_hostile
from tests.fixtures.checkout import ALL_CHARACTERS, Checkout
from tests.fixtures.faults import ask, databases, leftovers
from tests.fixtures.servers import CHINOOK_ROWS, LITTLE, OWNER, TICK_ROWS, Server
from tests.fixtures.streams import CLOCK_TABLES, CLOCKS, ODD, SPAN_ROWS, SPAN_TABLES, SPANS

PARTITIONS = """
SELECT count(*) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
WHERE inhparent = '{}'::regclass AND pg_get_expr(relpartbound, c.oid) <> 'DEFAULT'
"""
DIMENSIONS = """
SELECT hypertable_name, column_name, column_type, time_interval, integer_interval,
       integer_now_func, num_partitions
FROM timescaledb_information.dimensions WHERE hypertable_schema = 'public'
ORDER BY hypertable_name, dimension_number
"""
# Of no use once it is live, so not to be found in it.
NOTES = "SELECT count(*) FROM pg_namespace WHERE nspname = 'slipway_stream'"
REFUSED = {
    "hollow": "CREATE DATABASE hollow TEMPLATE template0;",
    "large": LITTLE.replace("little", "large") + "SELECT lo_from_bytea(0, 'x');",
    "loose": SPANS.replace("spans", "loose")
    + """
CREATE TABLE symbol (name text PRIMARY KEY);
ALTER TABLE tick ADD CONSTRAINT known FOREIGN KEY (symbol) REFERENCES symbol NOT VALID;
""",
}
# Whatever became of the tables, these answer the same.
UNCHANGED = (
    "SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM trade t",
    (
        "SELECT conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint "
        "WHERE conrelid IN ('trade'::regclass, 'daily'::regclass, 'remark'::regclass) "
        "AND contype <> 'n' AND (contype <> 'f' OR conparentid = 0) AND conname !~ '^[0-9]' "
        "ORDER BY 1"
    ),
    "SELECT polname, polcmd::text, pg_get_expr(polqual, polrelid) FROM pg_policy ORDER BY 1",
    "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = 'trade'::regclass",
    (
        "SELECT attname, attidentity::text, attgenerated::text, attnotnull, attstattarget "
        "FROM pg_attribute WHERE attrelid = 'trade'::regclass AND attnum > 0 AND NOT attisdropped "
        "ORDER BY 1"
    ),
    (
        "SELECT relname, relkind::text, relpersistence::text, relispopulated FROM pg_class "
        "WHERE relnamespace = 'public'::regnamespace AND relname IN "
        "('volatile', 'cheap', 'by_venue', 'a total', 'unfilled', 'lonely') ORDER BY 1"
    ),
    'SELECT sum FROM "a total"',
    "SELECT id > 1000 FROM newest()",
    "SELECT last_value, is_called FROM lonely",
    (
        "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal "
        "AND tgrelid = 'trade'::regclass AND tgname = 'stamp it'"
    ),
)
DATABASES = "SELECT oid, datname FROM pg_database ORDER BY oid"


@pytest.fixture(scope="module", autouse=True)
def several(source: Server) -> None:
    """Make the databases that are streamed here."""
    for script in (SPANS, CLOCKS, ODD):
        source.load(script)
    load_hostile(source)


@pytest.fixture(autouse=True)
def chinook_is_the_source(stack: Checkout) -> None:
    stack.set(SOURCE_DB_NAME="chinook_serial")


def transfer(stack: Checkout, origin: str, to: str, *options: str) -> str:
    """Transfer, and compare both ends once more by the command for that."""
    output = stack.expect("transfer", "--from", origin, "--to", to, *options, *consent(to))
    stack.expect("verify", origin, to)
    assert leftovers(stack) == []
    return output


def consent(to: str) -> tuple[str, ...]:
    return ("--yes",) if to == "local" else ("--yes", to)


def test_ticks_go_to_a_server_without_timescaledb_and_come_back_as_a_hypertable(
    fresh_stack: Checkout, hosted: Server
) -> None:
    stack = fresh_stack
    stack.set(SOURCE_DB_NAME="ticks")

    assert f"{TICK_ROWS:,}" in transfer(stack, "source", "neon")

    plan = hosted.execute(
        "EXPLAIN (COSTS off) SELECT * FROM quote WHERE ts >= '2020-01-05Z' AND ts < '2020-01-06Z'",
        "market",
    )
    assert sum(" on quote_p" in str(line) for (line,) in plan) == 1, plan
    as_owner = f"SET ROLE {OWNER}; "
    for moment in ("now() + interval '1 day'", "now() - interval '1 year'"):
        hosted.execute(f"{as_owner}INSERT INTO quote VALUES ({moment}, 'LATER', 1, 1, 0)", "market")
    where = "SELECT tableoid::regclass::text FROM quote WHERE symbol = 'LATER' ORDER BY ts"
    (past,), (tomorrow,) = hosted.execute(where, "market")
    assert past == "quote_default"
    assert tomorrow != "quote_default"
    assert hosted.execute("SELECT slipway_partitions.extend()", "market") == [(0,)]
    assert hosted.execute(NOTES, "market") == [(0,)]
    assert hosted.execute("SELECT 1 FROM pg_database WHERE datname ~ '__(staging|disc)'") == []
    hosted.execute("DELETE FROM quote WHERE symbol = 'LATER'", "market")

    transfer(stack, "neon", "local", "--hypertables")

    stack.expect("verify", "source", "local")
    assert stack.sql(DIMENSIONS) == "quote|ts|timestamp with time zone|1 day|||"
    stack.sql("INSERT INTO quote VALUES ('2030-01-01', 'X', 1, 1, 0)", role="trading_app")
    assert stack.sql(NOTES) == "0"


@pytest.mark.parametrize(("width", "partitions"), [("day", 101), ("month", 4)])
def test_partitions_are_as_wide_as_asked_for(
    stack: Checkout, hosted: Server, width: str, partitions: int
) -> None:
    stack.set(SOURCE_DB_NAME="spans")

    transfer(stack, "source", "neon", "--partition-by", width)

    for table in SPAN_TABLES:
        filled = f"SELECT count(DISTINCT tableoid), count(*) FROM {table}"
        ((found, rows),) = hosted.execute(filled, "market")
        assert (found, rows) == (partitions - (width == "day"), SPAN_ROWS), table
        assert hosted.execute(f"SELECT count(*) FROM {table}_default", "market") == [(0,)]


def test_every_kind_of_hypertable_arrives_with_and_without_timescaledb(
    fresh_stack: Checkout, source: Server, hosted: Server
) -> None:
    stack = fresh_stack
    stack.set(SOURCE_DB_NAME="clocks")

    transfer(stack, "source", "neon")
    transfer(stack, "source", "local")

    for table in CLOCK_TABLES:
        ((chunks,),) = source.execute(
            "SELECT count(DISTINCT (range_start, range_start_integer)) "
            f"FROM timescaledb_information.chunks WHERE hypertable_name = '{table}'",
            "clocks",
        )
        filled = f"SELECT count(DISTINCT tableoid) FROM {table}"
        assert hosted.execute(filled, "market") == [(chunks,)], table
    dimensions = "\n".join(
        "|".join("" if value is None else str(value) for value in row)
        for row in source.execute(
            DIMENSIONS.replace("time_interval", "time_interval::text"), "clocks"
        )
    )
    assert stack.sql(DIMENSIONS) == dimensions
    stored = "SELECT bucket, ticks FROM daily_materialized ORDER BY 1"
    expected = source.execute("SELECT * FROM daily ORDER BY 1", "clocks")
    assert hosted.execute(stored, "market") == ask(stack, stored, "trading") == expected
    twice = "SELECT sum(ticks) FROM twice"
    assert hosted.execute(twice, "market") == ask(stack, twice, "trading") == [(2 * SPAN_ROWS,)]
    for statement in (
        "INSERT INTO block VALUES (1000000, 'x')",
        "INSERT INTO diary VALUES ('2030-01-01', 'x')",
        "INSERT INTO device VALUES ('2030-01-01', 5, 1)",
    ):
        stack.sql(statement, role="trading_app")
        hosted.execute(statement, "market")


def test_chinook_is_the_same_after_a_round_through_all_targets(
    fresh_stack: Checkout, hosted: Server
) -> None:
    transfer(fresh_stack, "source", "local")
    transfer(fresh_stack, "local", "neon")
    transfer(fresh_stack, "neon", "local")

    fresh_stack.expect("verify", "source", "local")
    for table, rows in CHINOOK_ROWS.items():
        assert hosted.execute(f"SELECT count(*) FROM {table}", "market") == [(rows,)]
    owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
    assert hosted.execute(owners, "market") == [(OWNER,)]
    assert fresh_stack.sql("SELECT count(*) FROM artist", role="trading_app") == "275"


COMMENTS = {
    'the table\nof "trades"', "the column", "the index", "the check", "the key",
    "the foreign key", "the trigger", "the policy", "the view",
}  # fmt: skip


@pytest.mark.parametrize("to", ["local", "neon"])
def test_an_odd_database_arrives_with_all_it_holds(
    fresh_stack: Checkout, source: Server, hosted: Server, to: str
) -> None:
    fresh_stack.set(SOURCE_DB_NAME="odd")
    hosted.execute(f"ALTER ROLE {OWNER} BYPASSRLS")
    try:
        transfer(fresh_stack, "source", to)
    finally:
        hosted.execute(f"ALTER ROLE {OWNER} NOBYPASSRLS")

    def there(query: str) -> list[tuple[object, ...]]:
        if to == "neon":
            return hosted.execute(query, "market")
        return ask(fresh_stack, query, "trading")

    kept = "SELECT DISTINCT description FROM pg_description WHERE description LIKE 'the %'"
    assert {text for (text,) in there(kept)} >= COMMENTS
    for query in UNCHANGED:
        expected = source.execute(query, "odd")
        assert expected
        assert there(query) == expected
    there("INSERT INTO trade (ts, venue) VALUES ('2024-03-02', 1), ('2031-01-01', 1) RETURNING 1")
    assert there("SELECT DISTINCT note FROM trade WHERE amount IS NULL") == [("!",)]
    assert there("SELECT min(id) > 1099 FROM trade WHERE note = '!'") == [(True,)]


def test_a_plan_is_shown_and_nothing_is_written(
    fresh_stack: Checkout, source: Server, hosted: Server
) -> None:
    stack = fresh_stack
    stack.set(SOURCE_DB_NAME="clocks")
    before = databases(stack), hosted.execute(DATABASES), source.execute(DATABASES)
    journal = stack.folder / "data" / "journal"
    entries = sorted(journal.iterdir())

    shown = stack.expect("transfer", "--from", "source", "--to", "neon", "--plan")
    plan = json.loads(stack.expect("transfer", "--from", "source", "--to", "neon", "--json"))
    other = json.loads(stack.expect("transfer", "--from", "source", "--to", "local", "--json"))

    assert "hypertables become tables" in shown
    adapted = {found["subject"] for found in plan["findings"] if found["decision"] == "adapted"}
    assert "hypertables" in adapted
    assert plan["prediction"]["target_bytes"] > 0
    # Nothing has been analysed there yet.
    assert plan["prediction"]["rows"] > SPAN_ROWS
    assert "hypertables" not in {
        found["subject"] for found in other["findings"] if found["decision"] == "adapted"
    }
    assert (databases(stack), hosted.execute(DATABASES), source.execute(DATABASES)) == before
    assert sorted(journal.iterdir()) == entries


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("--from source --to supabase --yes supabase", 2, "target supabase: fill in SUPABASE_DB_*"),
        ("--to local --yes", 1, "--from is missing"),
        ("--from source --to neon --partition-by year --yes neon", 1, "'year'"),
        ("--from source --to neon --yes", 1, "--yes is not enough"),
        ("--from source --to neon", 3, "nobody can be asked"),
        ("--from source --to local", 3, "nobody can be asked"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    stack: Checkout, hosted: Server, arguments: str, code: int, words: str
) -> None:
    before = databases(stack), hosted.execute(DATABASES)

    line = complaint(stack.invoke("transfer", *arguments.split()), code)

    assert words in line
    assert (databases(stack), hosted.execute(DATABASES)) == before


@pytest.mark.parametrize(
    ("database", "to", "options", "words"),
    [
        ("large", "neon", (), "large objects"),
        ("odd", "neon", (), "row security that is forced"),
        ("loose", "neon", (), "not valid"),
        ("clocks", "neon", ("--partition-by", "month"), "public.block cannot be made anew"),
        ("hollow", "local", (), "holds no tables"),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(
    stack: Checkout,
    source: Server,
    hosted: Server,
    *,
    database: str,
    to: str,
    options: tuple[str, ...],
    words: str,
) -> None:
    if database in REFUSED:
        source.load(f"DROP DATABASE IF EXISTS {database};\n{REFUSED[database]}")
    stack.set(SOURCE_DB_NAME=database)
    before = databases(stack), hosted.execute(DATABASES)
    command = ("transfer", "--from", "source", "--to", to, *options)

    line = complaint(stack.invoke(*command, *consent(to)), 3)

    assert words in line
    assert (databases(stack), hosted.execute(DATABASES)) == before


@pytest.mark.parametrize("to", ["local", "neon"])
def test_a_hostile_source_runs_nothing_at_the_target(
    fresh_stack: Checkout, hosted: Server, to: str
) -> None:
    stack = fresh_stack
    stack.set(SOURCE_DB_NAME="hostile")
    hosted.execute("CREATE ROLE trading_app")
    try:
        done = stack.invoke("transfer", "--from", "source", "--to", to, *consent(to))
        superusers = "SELECT rolname FROM pg_roles WHERE rolsuper"
        found = ask(stack, superusers), hosted.execute(superusers)
        touched = [
            stack.run("docker", "exec", name, "test", "-e", "/tmp/boarded").returncode == 0
            for name in (f"{stack.project}-db-1", str(hosted.container.id))
        ]
    finally:
        stack.sql("ALTER ROLE trading_app NOSUPERUSER", database="postgres")
        hosted.execute("DROP ROLE trading_app")

    assert found == ([("postgres",)], [("postgres",)])
    assert touched == [False, False]
    assert done.returncode == 0, done.stderr
    rows = "SELECT pg_catalog.count(*) FROM public.cargo"
    arrived = hosted.execute(rows, "market") if to == "neon" else ask(stack, rows, "trading")
    assert arrived == [(100,)]


def test_passwords_of_all_characters_work_at_both_ends(
    fresh_stack: Checkout, source: Server
) -> None:
    # The owner at neon has such a password throughout.
    assert fresh_stack.values["NEON_DB_PASSWORD"] == ALL_CHARACTERS
    literal = sql.Literal(ALL_CHARACTERS).as_string()
    source.load(f"ALTER ROLE postgres PASSWORD {literal}")
    fresh_stack.set(SOURCE_DB_PASSWORD=ALL_CHARACTERS)
    try:
        transfer(fresh_stack, "source", "neon")
        transfer(fresh_stack, "source", "local")
    finally:
        source.load(f"ALTER ROLE postgres PASSWORD '{source.password}'")
        fresh_stack.set(SOURCE_DB_PASSWORD=source.password)
