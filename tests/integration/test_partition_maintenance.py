"""The maintenance schema keeps partitions ahead of the rows, and does no harm."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise

import psycopg
import pytest

from tests.fixtures.checkout import ROOT
from tests.fixtures.faults import wait_until
from tests.fixtures.servers import Server

SCRIPT = ROOT / "infra" / "transfer" / "stream" / "partition_maintenance.sql"
OWNER = "Partition owner"
LONG = "ä" * 31

Session = psycopg.Connection[tuple[object, ...]]
Connect = Callable[[], Session]

numbers = count()


@pytest.fixture(scope="module")
def owner(server: Server) -> str:
    server.execute(f"CREATE ROLE \"{OWNER}\" LOGIN PASSWORD 'owner'")
    return OWNER


def login(server: Server, database: str) -> Session:
    return psycopg.connect(
        host="127.0.0.1",
        port=server.port,
        user=OWNER,
        password="owner",
        dbname=database,
        autocommit=True,
    )


def make_database(server: Server, database: str) -> None:
    server.execute(f'CREATE DATABASE {database} TEMPLATE template0 OWNER "{OWNER}"')
    with closing(login(server, database)) as connection:
        run(connection, SCRIPT.read_text(encoding="utf-8"))


@pytest.fixture
def connect(server: Server, owner: str) -> Iterator[Connect]:
    """Make a database of the owner, who is no superuser; return what connects to it."""
    assert owner
    database = f"maintained_{next(numbers)}"
    make_database(server, database)
    opened: list[Session] = []

    def session() -> Session:
        opened.append(login(server, database))
        return opened[-1]

    yield session
    for connection in opened:
        connection.close()
    server.execute(f"DROP DATABASE {database} WITH (FORCE)")


@pytest.fixture(scope="module")
def maintained(server: Server, owner: str) -> str:
    assert owner
    make_database(server, "maintained")
    return "maintained"


@pytest.fixture
def db(server: Server, maintained: str) -> Iterator[Session]:
    """Connect in one transaction that is undone, so now() stands still and nothing stays."""
    with (
        closing(login(server, maintained)) as connection,
        connection.transaction(force_rollback=True),
    ):
        yield connection


def run(connection: Session, statement: str, *values: object) -> list[tuple[object, ...]]:
    cursor = connection.execute(statement.encode(), values or None)
    return cursor.fetchall() if cursor.description else []


def value(connection: Session, statement: str, *values: object) -> object:
    [(found,)] = run(connection, statement, *values)
    return found


def warnings(connection: Session) -> list[str]:
    heard: list[str] = []
    connection.add_notice_handler(
        lambda said: heard.append(f"{said.message_primary} HINT: {said.message_hint}")
    )
    return heard


def split(connection: Session, column_type: str, name: str = "t") -> None:
    run(connection, f'CREATE TABLE "{name}" (k {column_type}, v int) PARTITION BY RANGE (k)')


def manage(connection: Session, width: str | None, step: int | None = None, name: str = "t") -> int:
    run(
        connection,
        "SELECT slipway_partitions.manage(quote_ident(%s)::regclass, 'k', %s, %s)",
        name,
        width,
        step,
    )
    return extend(connection)


def extend(connection: Session) -> int:
    made = value(connection, "SELECT slipway_partitions.extend()")
    assert isinstance(made, int)
    return made


def add(connection: Session, lower: str | None, upper: str | None, name: str = "t") -> object:
    # A query does not see what a function in it makes, so a second one asks for the name.
    made = value(
        connection,
        "SELECT slipway_partitions.add(quote_ident(%s)::regclass, %s, %s)::oid",
        name,
        lower,
        upper,
    )
    return value(connection, "SELECT relname FROM pg_class WHERE oid = %s", made)


def ranges(connection: Session, name: str = "t") -> list[tuple[str | None, str | None]]:
    return [
        (None if lower is None else str(lower), None if upper is None else str(upper))
        for lower, upper in run(
            connection,
            "SELECT lower, upper FROM slipway_partitions.ranges(quote_ident(%s)::regclass) "
            "ORDER BY length(lower), lower",
            name,
        )
    ]


def times(connection: Session, name: str = "t") -> list[tuple[datetime, datetime]]:
    return [
        (moment(str(lower)), moment(str(upper)))
        for lower, upper in sorted(ranges(connection, name), key=str)
    ]


def now(connection: Session) -> datetime:
    seconds = value(connection, "SELECT extract(epoch FROM now())::float8")
    assert isinstance(seconds, float)
    return datetime.fromtimestamp(seconds, UTC)


def moment(text: str) -> datetime:
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


WIDTHS = ["1 hour", "1 day", "1 week", "7 days", "30 days", "1 month"]


@pytest.mark.parametrize("column_type", ["timestamptz", "timestamp(3)", "date"])
def test_each_type_and_width_is_covered_from_now_on(db: Session, column_type: str) -> None:
    for width in WIDTHS[1:] if column_type == "date" else WIDTHS:
        split(db, column_type, width)
        assert manage(db, width, name=width) >= 3

        made = times(db, width)
        present = now(db)
        assert all(upper == lower for (_, upper), (lower, _) in pairwise(made))
        assert made[0][0] <= present < made[0][1]
        assert made[-1][1] > present + timedelta(days=7)
        assert made[-1][1] >= present + 2 * (made[-1][1] - made[-1][0])
        run(db, f'INSERT INTO "{width}" SELECT now() + i * interval \'1 day\' FROM '
                "generate_series(0, 7) i")  # fmt: skip
        assert extend(db) == 0


@pytest.mark.parametrize(
    ("width", "aligned"),
    [
        ("1 hour", lambda at: at.minute == 0),
        ("1 day", lambda at: at.hour == 0),
        ("1 week", lambda at: at.weekday() == 0 and at.hour == 0),
        ("168 hours", lambda at: at.weekday() == 0 and at.hour == 0),
        ("1 month", lambda at: at.day == 1 and at.hour == 0),
        ("3 months", lambda at: at.day == 1 and at.month % 3 == 1),
        ("1 year", lambda at: (at.month, at.day) == (1, 1)),
        ("30 days", lambda at: (at - datetime(2000, 1, 1, tzinfo=UTC)).days % 30 == 0),
        ("5 hours", lambda at: (at - datetime(2000, 1, 1, tzinfo=UTC)).total_seconds() % 18000 < 1),
    ],
)
def test_the_first_partition_is_aligned_by_the_calendar(
    db: Session, width: str, aligned: Callable[[datetime], bool]
) -> None:
    split(db, "timestamptz")
    manage(db, width)

    assert all(aligned(lower) for lower, _ in times(db))


def test_next_partitions_go_on_from_the_last_bound(db: Session) -> None:
    split(db, "timestamptz")
    last = now(db).astimezone(UTC).replace(hour=5, minute=30, second=0, microsecond=0)
    add(db, str(last), str(last + timedelta(days=1)))
    manage(db, "1 day")

    made = times(db)
    # Seven days from now on; from which of them on depends on the time of the day.
    assert len(made) in {7, 8, 9}
    assert made[-1][1] > now(db) + timedelta(days=7)
    assert all(at.hour == 5 and at.minute == 30 for at, _ in made)
    assert made[1][0] == last + timedelta(days=1)


@pytest.mark.parametrize(
    ("last", "width", "present", "expected"),
    [
        # The bound is now: the range that begins there holds it.
        ("2026-03-01", "1 day", "2026-03-01", ["2026-03-01 00:00:00", "2026-03-02 00:00:00"]),
        ("2026-03-01", "1 day", "2026-02-28 23:59", ["2026-03-01 00:00:00"]),
        ("2016-01-01 00:30", "1 hour", "2026-03-08 07:10", ["2026-03-08 06:30:00"]),
        ("2025-01-31", "1 month", "2026-04-01", ["2026-03-31 00:00:00", "2026-04-30 00:00:00"]),
        ("2024-02-29", "1 year", "2026-04-01", ["2026-02-28 00:00:00", "2027-02-28 00:00:00"]),
        ("0044-03-15 BC", "1 month", "2026-04-01", ["2026-03-15 00:00:00", "2026-04-15 00:00:00"]),
        (None, "1 month", "2026-02-28 23:59:59.999999", ["2026-02-01 00:00:00"]),
        (None, "7 days", "2026-03-01", ["2026-02-23 00:00:00", "2026-03-02 00:00:00"]),
    ],
)
def test_the_next_range_holds_the_moment(
    db: Session, last: str | None, width: str, present: str, expected: list[str]
) -> None:
    found = run(
        db,
        "SELECT lower::text, upper FROM slipway_partitions.next_times(%s, %s::interval, "
        "%s::timestamp, %s::timestamp + %s::interval, 100)",
        last, width, present, present, width,
    )  # fmt: skip

    assert [lower for lower, _ in found][: len(expected)] == expected
    assert len(found) in {1, 2, 3}


def test_a_gap_of_ten_years_of_hours_stays_a_gap(db: Session) -> None:
    split(db, "timestamptz")
    add(db, "2015-07-01 00:00Z", "2015-07-01 01:00Z")
    manage(db, "1 hour")
    run(db, "SET statement_timeout = '1s'")

    made = times(db)
    assert 169 <= len(made) <= 173
    assert made[1][0] <= now(db) < made[2][1]
    assert run(
        db,
        "SELECT count(*) FROM slipway_partitions.missing('t', '1 hour', NULL, '7 days', 1000)",
    ) == [(0,)]
    assert run(
        db,
        "SELECT count(*) FROM slipway_partitions.next_times('1926-01-01', '1 second', "
        "'2026-01-01', '2026-01-01', 1000)",
    ) == [(1,)]


@pytest.mark.parametrize("settings", ["America/New_York", "Asia/Kathmandu"])
def test_settings_of_the_session_change_nothing(db: Session, settings: str) -> None:
    run(db, f"SET TimeZone = '{settings}'; SET DateStyle = 'German'")
    run(db, "SET IntervalStyle = 'sql_standard'; SET standard_conforming_strings = off")
    split(db, "timestamptz")
    split(db, "timestamp", "plain")
    # The clocks of New York change on 8 March 2026.
    run(db, "CREATE SCHEMA x; SET search_path = x, pg_temp")
    assert value(db, "SELECT slipway_partitions.add('public.t', '2026-03-08', '2026-03-09')")
    run(db, "SET search_path = public")
    assert ranges(db) == [("2026-03-08 00:00:00+00", "2026-03-09 00:00:00+00")]
    assert add(db, "2026-03-08 00:00Z", "2026-03-08 20:00-04") == "t_p20260308"
    manage(db, "1 day", name="plain")
    manage(db, "1 day")

    for name in ("t", "plain"):
        assert all((lower.hour, upper.hour) == (0, 0) for lower, upper in times(db, name))
        assert times(db, name)[-1][1] > now(db) + timedelta(days=7)
    assert run(db, "SHOW TimeZone") == [(settings,)]
    assert run(db, "SHOW lock_timeout") == [("0",)]


@pytest.mark.parametrize("column_type", ["smallint", "int", "bigint"])
def test_numbers_are_kept_two_steps_ahead(db: Session, column_type: str) -> None:
    split(db, column_type)
    assert manage(db, None, 100) == 0
    run(db, "SELECT slipway_partitions.add_default('t')")
    add(db, "-100", "0")
    run(db, "INSERT INTO t VALUES (-50)")
    assert extend(db) == 2
    assert ranges(db) == [("0", "100"), ("100", "200"), ("-100", "0")]
    run(db, "INSERT INTO t VALUES (150)")
    assert extend(db) == 2
    run(db, "INSERT INTO t VALUES (12345)")
    heard = warnings(db)
    assert extend(db) == 2
    assert "from 12300 to 12400" in heard[0]
    assert ranges(db)[-3:] == [("-100", "0"), ("12400", "12500"), ("12500", "12600")]


@pytest.mark.parametrize("greatest", [32767, 32000, 32450])
def test_numbers_end_with_their_type(db: Session, greatest: int) -> None:
    split(db, "smallint")
    add(db, "31900", "32700" if greatest == 32450 else "32767")
    run(db, "SELECT slipway_partitions.manage('t', 'k', NULL, 500)")
    if greatest < 32767:
        run(db, "INSERT INTO t VALUES (%s)", greatest)

    assert extend(db) == (1 if greatest < 32767 else 0)
    if greatest < 32767:
        assert ranges(db)[-1][1] is None
        run(db, "INSERT INTO t VALUES (32767)")
        assert extend(db) == 0


def test_numbers_without_partitions_begin_at_a_multiple_of_the_step(db: Session) -> None:
    found = run(db, "SELECT lower, upper FROM slipway_partitions.next_numbers(NULL, 10, -25, 100)")

    assert [(int(str(lower)), int(str(upper))) for lower, upper in found] == [
        (-30, -20),
        (-20, -10),
        (-10, 0),
    ]


@pytest.mark.parametrize("bound", [None, "infinity"])
def test_a_partition_without_end_needs_no_other(db: Session, bound: str | None) -> None:
    split(db, "timestamptz")
    add(db, "2020-01-01", bound)

    assert manage(db, "1 day") == 0


def test_a_start_at_minus_infinity_is_no_last_bound(db: Session) -> None:
    split(db, "timestamp")
    add(db, None, "-infinity")

    assert manage(db, "1 month") == 3


@pytest.mark.parametrize(
    ("column_type", "lower", "upper", "expected"),
    [
        ("timestamptz", "2026-01-01 01:00+01", "2026-01-02", "t_p20260101"),
        ("timestamptz", "2026-01-01 13:05:09.5Z", "2026-01-02", "t_p20260101_130509"),
        ("timestamptz", None, "2026-01-02", "t_pmin"),
        ("timestamptz", "2026-01-01", None, "t_p20260101"),
        ("timestamp", "2026-01-01 00:00:00.25", "2026-01-02", "t_p20260101_000000"),
        ("date", "2026-01-01", "2026-02-01", "t_p20260101"),
        ("int", "-5", "7", "t_pm5"),
        ("bigint", "9223372036854775000", None, "t_p9223372036854775000"),
        ("smallint", None, None, "t_pmin"),
        ("timestamptz", "0044-03-15 BC", "2026-01-02", None),
        ("timestamptz", "-infinity", "infinity", None),
        ("date", "10000-01-01", "10000-01-02", None),
    ],
)
def test_a_partition_is_named_after_its_lower_bound(
    db: Session, column_type: str, lower: str | None, upper: str | None, expected: str | None
) -> None:
    split(db, column_type)
    name = str(add(db, lower, upper))

    if expected is None:
        assert name.startswith("t_p")
        int(name.removeprefix("t_p"), 16)
        assert len(name) == 19
    else:
        assert name == expected
    assert add(db, lower, upper) == name
    assert run(db, "SELECT count(*) FROM pg_inherits") == [(1,)]


@pytest.mark.parametrize(
    ("table", "stem"),
    [
        ("x" * 63, "x" * 45),
        ("x" * 54, "x" * 45),
        ("x" * 53, None),
        (LONG, "ä" * 22),
        ("x" + LONG, "x" + "ä" * 22),
        ("語" * 21, "語" * 15),
        ("a b'c\\d%s", None),
        ("Ünï %I.$1", None),
    ],
)
def test_names_fit_and_no_character_is_cut(db: Session, table: str, stem: str | None) -> None:
    run(db, 'CREATE SCHEMA "S\'p a.ce"; SET search_path = "S\'p a.ce"')
    quoted = str(value(db, "SELECT quote_ident(%s)", table))
    run(db, f"CREATE TABLE {quoted} (k date) PARTITION BY RANGE (k)")
    made = str(add(db, "2026-01-01", "2026-01-02", table))

    assert len(made.encode()) <= 63
    if stem is None:
        assert made == table + "_p20260101"
    else:
        assert made[:-16] == stem + "_p"
    assert add(db, "2026-01-01", "2026-01-02", table) == made
    assert add(db, "2026-01-02", "2026-01-03", table) != made
    default = "SELECT slipway_partitions.add_default(quote_ident(%s)::regclass)::text"
    assert value(db, default, table) == value(db, default, table)


@pytest.mark.parametrize(
    "taken",
    ["TABLE t_p20260101 ()", "VIEW t_p20260101 AS SELECT", "TYPE t_p20260101 AS ENUM ()"],
)
def test_a_taken_name_is_left_alone(db: Session, taken: str) -> None:
    split(db, "date")
    run(db, f"CREATE {taken}")
    made = str(add(db, "2026-01-01", "2026-01-02"))

    assert made.startswith("t_p")
    assert made != "t_p20260101"
    assert add(db, "2026-01-01", "2026-01-02") == made
    run(db, f"ALTER TABLE {made} RENAME TO kept")
    assert add(db, "2026-01-01", "2026-01-02") == "kept"
    run(db, f"DROP TABLE kept; CREATE TABLE {made} ()")
    with pytest.raises(psycopg.errors.DuplicateTable, match=f"are taken: {made}"):
        add(db, "2026-01-01", "2026-01-02")


def test_an_overlap_is_an_error(db: Session) -> None:
    split(db, "date")
    add(db, "2026-01-01", "2026-01-03")

    with pytest.raises(psycopg.errors.InvalidObjectDefinition, match="overlap"):
        add(db, "2026-01-01", "2026-01-02")


def test_the_default_partition_is_made_once(db: Session) -> None:
    split(db, "date")
    statement = "SELECT slipway_partitions.add_default('t')::text"

    assert value(db, statement) == "t_default"
    run(db, "ALTER TABLE t_default RENAME TO rest")
    assert value(db, statement) == "rest"


@pytest.mark.parametrize(
    ("definition", "column", "width", "step", "message"),
    [
        ("(k date) PARTITION BY RANGE (k)", "k", "1 hour", None, "no whole days"),
        ("(k date) PARTITION BY RANGE (k)", "k", "36 hours", None, "no whole days"),
        ("(k date) PARTITION BY RANGE (k)", "k", None, 1, "of type date"),
        ("(k date, l int) PARTITION BY RANGE (k)", "l", "1 day", None, "not partitioned by l"),
        ("(k int) PARTITION BY RANGE (k)", "k", "1 day", None, "of type integer"),
        ("(k int) PARTITION BY RANGE (k)", "k", None, 0, "step_check"),
        ("(k int) PARTITION BY RANGE (k)", "k", None, None, "managed_check"),
        ("(k timestamp) PARTITION BY RANGE (k)", "k", "-1 day", None, "width_check"),
        ("(k timestamp) PARTITION BY RANGE (k)", "k", "infinity", None, "width_check"),
        ("(k timestamp) PARTITION BY RANGE (k)", "k", "1 day", 1, "managed_check"),
        ("(k text) PARTITION BY RANGE (k)", "k", "1 day", None, "of type text"),
        ("(k date) PARTITION BY LIST (k)", "k", "1 day", None, "is not a table partitioned"),
        ("(k date, l int) PARTITION BY RANGE (k, l)", "k", "1 day", None, "is not a table"),
        ("(k int) PARTITION BY RANGE ((k + 1))", "k", None, 1, "is not a table"),
        ("(k date)", "k", "1 day", None, "is not a table"),
    ],
)
def test_what_cannot_be_managed_is_refused(
    db: Session, definition: str, column: str, width: str | None, step: int | None, message: str
) -> None:
    run(db, f"CREATE TABLE t {definition}")

    with pytest.raises(psycopg.Error, match=message):
        run(db, "SELECT slipway_partitions.manage('t', %s, %s, %s)", column, width, step)


def test_a_table_is_managed_as_was_said_last(db: Session) -> None:
    run(db, "CREATE DOMAIN instant AS timestamptz(0); CREATE DOMAIN at AS instant")
    split(db, "at")
    manage(db, "1 month")
    manage(db, "1 week")

    assert run(db, "SELECT width::text FROM slipway_partitions.managed") == [("7 days",)]
    widths = [upper - lower for lower, upper in times(db)]
    assert min(widths) >= timedelta(days=28)
    run(db, "ALTER TABLE t RENAME k TO moment")
    assert extend(db) == 0


def test_rows_in_the_default_partition_stay_and_are_told_of(db: Session) -> None:
    split(db, "timestamptz")
    run(db, "SELECT slipway_partitions.add_default('t')")
    run(db, "INSERT INTO t SELECT date_trunc('day', now(), 'UTC') + i * interval '1 day', i "
            "FROM generate_series(0, 2, 2) i")  # fmt: skip
    heard = warnings(db)

    assert manage(db, "1 day") == 6
    assert len(heard) == 2
    assert "no partition of public.t from 20" in heard[0]
    assert "slipway_partitions.add('public.t', '20" in heard[0]
    assert run(db, "SELECT v FROM t_default ORDER BY v") == [(0,), (2,)]
    # What the hint says works, to the letter.
    advice = heard[1].split("run ")[1].split(", and insert")[0]
    run(db, "CREATE TEMP TABLE moved AS TABLE t_default; DELETE FROM t_default")
    run(db, advice)
    run(db, "INSERT INTO t TABLE moved")
    assert run(db, "SELECT v FROM t_default") == [(0,)]


def test_one_table_that_fails_does_not_stop_the_others(server: Server, connect: Connect) -> None:
    db = connect()
    for name in ("dropped", "plain", "foreign_one", "t"):
        split(db, "date", name)
        run(db, "SELECT slipway_partitions.manage(%s::regclass, 'k', '1 month', NULL)", name)
    run(db, "CREATE TABLE ordinary (k date)")
    run(db, "UPDATE slipway_partitions.managed SET parent = 'ordinary' "
            "WHERE parent = 'plain'::regclass")  # fmt: skip
    run(db, "DROP TABLE dropped")
    server.execute("ALTER TABLE foreign_one OWNER TO postgres", str(db.info.dbname))
    heard = warnings(db)

    assert extend(db) == 3
    assert len(ranges(db)) == 3
    told = "\n".join(sorted(heard))
    assert "was dropped and is no longer managed" in told
    assert "no partitions of public.ordinary: public.ordinary is not a table partitioned" in told
    assert "no partition of public.foreign_one from 20" in told
    assert "must be owner" in told or "permission denied" in told
    assert run(db, "SELECT count(*) FROM slipway_partitions.managed") == [(3,)]


def test_nothing_is_managed_and_nothing_is_done(db: Session) -> None:
    assert extend(db) == 0


@pytest.mark.parametrize(("ahead", "days"), [("60 days", 60), ("-1 day", 2), (None, 2)])
def test_how_far_ahead_can_be_said(db: Session, ahead: str | None, days: int) -> None:
    split(db, "date")
    run(db, "SELECT slipway_partitions.manage('t', 'k', '1 day', NULL)")

    assert value(db, "SELECT slipway_partitions.extend(%s)", ahead) == days + 1


def test_endless_time_is_refused(db: Session) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="for all time to come"):
        run(db, "SELECT slipway_partitions.extend('infinity')")


def test_one_run_has_an_end(db: Session) -> None:
    assert run(
        db,
        "SELECT count(*) FROM slipway_partitions.next_times(NULL, '1 microsecond', "
        "'2026-01-01', '2026-01-08', 1000)",
    ) == [(1000,)]


def test_new_partitions_are_like_their_table(db: Session) -> None:
    run(db, "CREATE TABLE t (k timestamptz, v int CHECK (v > 0), PRIMARY KEY (k)) "
            "PARTITION BY RANGE (k)")  # fmt: skip
    run(db, "CREATE INDEX ON t (v)")
    run(db, "CREATE TABLE child (k timestamptz REFERENCES t)")
    run(db, "ALTER TABLE t ENABLE ROW LEVEL SECURITY")
    manage(db, "1 month")

    found = run(
        db,
        "SELECT relrowsecurity, count(indexrelid) FROM pg_inherits i "
        "JOIN pg_class c ON c.oid = inhrelid AND inhparent = 't'::regclass "
        "JOIN pg_index x ON x.indrelid = c.oid GROUP BY c.oid",
    )
    assert found == [(True, 2)] * 3
    run(db, "INSERT INTO t VALUES (now(), 1); INSERT INTO child SELECT k FROM t")
    with pytest.raises(psycopg.errors.ForeignKeyViolation), db.transaction():
        run(db, "DELETE FROM t")
    with pytest.raises(psycopg.errors.CheckViolation):
        run(db, "INSERT INTO t VALUES (now() + interval '1 s', 0)")


def test_a_job_of_the_superuser_makes_partitions_of_the_owner(
    server: Server, connect: Connect
) -> None:
    db = connect()
    split(db, "date")
    run(db, "SELECT slipway_partitions.manage('t', 'k', '1 month', NULL)")
    server.execute("SELECT slipway_partitions.extend()", str(db.info.dbname))

    assert run(
        db, "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relispartition"
    ) == [(OWNER,)]


def waits(connection: Session, watcher: Session) -> bool:
    return run(
        watcher,
        "SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s",
        connection.info.backend_pid,
    ) == [("Lock",)]


def test_a_second_session_waits_and_finds_the_work_done(connect: Connect) -> None:
    first, second, third = connect(), connect(), connect()
    split(third, "timestamptz")
    run(third, "SELECT slipway_partitions.manage('t', 'k', '1 day', NULL)")
    made: list[int] = []
    heard = warnings(second)
    worker = threading.Thread(target=lambda: made.append(extend(second)))

    with first.transaction():
        assert extend(first) >= 8
        worker.start()
        wait_until(lambda: waits(second, third))
    worker.join(20)

    assert made == [0]
    assert heard == []


def test_the_same_range_is_added_once_by_two_sessions(connect: Connect) -> None:
    first, second, third = connect(), connect(), connect()
    split(third, "date")
    statement = "SELECT slipway_partitions.add('t', '2026-01-01', '2026-01-02')::text"
    made: list[object] = []
    worker = threading.Thread(target=lambda: made.append(value(second, statement)))

    with first.transaction():
        assert value(first, statement) == "t_p20260101"
        worker.start()
        wait_until(lambda: waits(second, third))
    worker.join(20)

    assert made == ["t_p20260101"]


def test_a_long_reader_holds_up_nobody_for_long(connect: Connect) -> None:
    reader, writer, db = connect(), connect(), connect()
    for name in ("t", "u", "free"):
        split(db, "timestamptz", name)
        run(db, "SELECT slipway_partitions.add_default(%s::regclass)", name)
        run(db, "SELECT slipway_partitions.manage(%s::regclass, 'k', '1 month', NULL)", name)
    heard = warnings(db)
    made: list[int] = []
    worker = threading.Thread(target=lambda: made.append(extend(db)))

    with reader.transaction():
        run(reader, "SELECT count(*) FROM t, u")
        worker.start()
        wait_until(lambda: waits(db, writer))
        # Stands in the queue behind the ACCESS EXCLUSIVE lock that is waited for.
        run(writer, "SET lock_timeout = '8s'; INSERT INTO t VALUES (now())")
        worker.join(20)

    assert made == [3]
    assert ["another session is using the table" in said for said in heard] == [True, True]
    assert run(db, "SHOW lock_timeout") == [("0",)]


def test_the_script_may_be_run_again(db: Session) -> None:
    split(db, "date")
    made = manage(db, "1 month")
    run(db, SCRIPT.read_text(encoding="utf-8"))

    assert made == 3
    assert extend(db) == 0
    assert run(db, "SELECT count(*) FROM slipway_partitions.managed") == [(1,)]


def test_nobody_else_may_call_anything(db: Session) -> None:
    assert run(
        db,
        "SELECT p.proname FROM pg_proc p WHERE pronamespace = 'slipway_partitions'::regnamespace "
        "AND (proacl IS NULL OR proacl::text ~ '[{,]=' OR prosecdef "
        "OR proconfig[1] <> 'search_path=pg_catalog, pg_temp')",
    ) == []  # fmt: skip


def test_dropping_the_schema_leaves_the_table(db: Session) -> None:
    split(db, "date")
    manage(db, "1 month")
    run(db, "DROP SCHEMA slipway_partitions CASCADE")

    run(db, "INSERT INTO t VALUES (now())")


def test_whoever_finds_the_schema_reads_what_it_is(db: Session) -> None:
    told = str(value(db, "SELECT obj_description('slipway_partitions'::regnamespace)"))

    assert "Made by Slipway" in told
    assert "SELECT slipway_partitions.extend()" in told
    assert "safe" in told
    assert run(
        db,
        "SELECT proname FROM pg_proc WHERE pronamespace = 'slipway_partitions'::regnamespace "
        "AND obj_description(oid, 'pg_proc') IS NULL",
    ) == []  # fmt: skip
