"""What a stream does to tables, keys, sequences, views and settings, each by itself on a server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg import sql

from backend.config import Endpoint, Secret
from infra.errors import TargetError
from infra.postgres import digest, inventory, load_settings, objects, relations
from infra.postgres.connection import Connection, connect
from infra.postgres.objects import DatabaseObject
from infra.postgres.relations import LogicalTable
from infra.transfer.receipt import Receipt
from infra.transfer.stream import finishing, keys, layouts, rows
from infra.transfer.stream.hypertables import AsHypertable, Dimension, remake
from infra.transfer.stream.keys import Index
from infra.transfer.stream.layouts import Layout, Partitioned
from infra.transfer.stream.options import Options, Width
from infra.transfer.stream.partitions import AsPartitions
from tests.fixtures.servers import Server

SCHEMA, TABLE, COLUMN = "Odd 'S'. \"%\"", "T \"x\" 'y' %s {}", 'The "time" % {}'
ODD = {
    "schema": sql.Identifier(SCHEMA).as_string(),
    "table": sql.Identifier(SCHEMA, TABLE).as_string(),
    "column": sql.Identifier(COLUMN).as_string(),
}

OLD, NEW, NATIVE = "parts old", "parts new", "parts native"


@pytest.fixture(scope="module")
def databases(server: Server) -> Iterator[Server]:
    """Make a source and a target with TimescaleDB, and a target without."""
    for name in (OLD, NEW, NATIVE):
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    for name in (OLD, NEW):
        server.execute("CREATE EXTENSION timescaledb", name)
    yield server
    for name in (OLD, NEW, NATIVE):
        server.execute(f'DROP DATABASE "{name}" (FORCE)')


@contextmanager
def opened(server: Server, database: str) -> Iterator[Connection]:
    """Connect as a stream does."""
    password = Secret(server.password)
    endpoint = Endpoint("local", "admin", "127.0.0.1", server.port, database, "postgres", password)
    with connect(endpoint, "target", autocommit=True) as connection:
        digest.pin(connection)
        yield connection


@pytest.fixture(scope="module")
def sessions(databases: Server) -> Iterator[dict[str, Connection]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(opened(databases, name)) for name in (OLD, NEW, NATIVE)}


@pytest.fixture
def old(sessions: dict[str, Connection]) -> Iterator[Connection]:
    yield sessions[OLD]
    clean(sessions[OLD])


@pytest.fixture
def new(sessions: dict[str, Connection]) -> Iterator[Connection]:
    yield sessions[NEW]
    clean(sessions[NEW])


@pytest.fixture
def native(sessions: dict[str, Connection]) -> Iterator[Connection]:
    yield sessions[NATIVE]
    clean(sessions[NATIVE])


def clean(connection: Connection) -> None:
    # TimescaleDB lives in `public`, so everything of a test is in a schema of its own.
    for (name,) in inventory.query(
        connection,
        "SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname = ANY (%s)",
        ["s", SCHEMA, "slipway_partitions"],
    ):
        run(connection, sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)).as_string())


def run(connection: Connection, statements: str) -> list[tuple[Any, ...]]:
    cursor = connection.execute(statements.encode())
    return cursor.fetchall() if cursor.description else []


def table(connection: Connection, name: str = "t") -> LogicalTable:
    (found,) = [found for found in relations.tables(connection) if found.name == name]
    return found


def described(connection: Connection) -> dict[tuple[str, str], dict[str, Any]]:
    return {(found.kind, found.name): found.properties for found in objects.read(connection)}


# remake


EVERYTHING = """
CREATE SCHEMA s;
CREATE DOMAIN s.price AS numeric(12,4) CHECK (value > 0);
CREATE TYPE s.pair AS (a int, b text);
CREATE FUNCTION s.twice(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 2';
CREATE SEQUENCE s.t_id_seq AS bigint;
CREATE TABLE s.t (
  id bigint NOT NULL DEFAULT nextval('s.t_id_seq'),
  gone int,
  at timestamptz NOT NULL DEFAULT now(),
  "Two  words" varchar(7) COLLATE "C" DEFAULT 'it''s',
  price s.price,
  pair s.pair DEFAULT ROW(1, 'x'),
  n int DEFAULT s.twice(21),
  doubled int GENERATED ALWAYS AS (n * 2) STORED,
  list text[] DEFAULT '{a,"b c"}',
  note text STORAGE EXTERNAL,
  CONSTRAINT "a % check" CHECK (n > 0 AND price < 1000),
  CHECK (at > '1970-01-01 00:00Z')
);
ALTER TABLE s.t DROP gone;
ALTER TABLE s.t ALTER list SET COMPRESSION lz4;
ALTER TABLE s.t ALTER n SET STATISTICS 500;
ALTER TABLE s.t ALTER note SET STATISTICS 0;
ALTER TABLE s.t FORCE ROW LEVEL SECURITY;
COMMENT ON COLUMN s.t."Two  words" IS 'it''s a {column} of 100 %';
COMMENT ON CONSTRAINT "a % check" ON s.t IS 'why';
ALTER SEQUENCE s.t_id_seq OWNED BY s.t.id;
"""


def test_a_table_that_is_made_anew_is_as_it_was(native: Connection) -> None:
    # The sequence is handed over later in a dump, so that it survives the old table.
    run(native, EVERYTHING)
    run(native, "ALTER SEQUENCE s.t_id_seq OWNED BY NONE")
    before = described(native)

    remake(native, table(native), sql.SQL(""))

    assert described(native) == before


def test_a_table_that_becomes_partitioned_differs_by_that_alone(native: Connection) -> None:
    run(native, EVERYTHING)
    run(native, "ALTER SEQUENCE s.t_id_seq OWNED BY NONE")
    before = described(native)

    remake(native, table(native), sql.SQL("PARTITION BY RANGE (at)"))

    after = described(native)
    assert after["table", "s.t"]["partition_key"] == "RANGE (at)"
    assert after["table", "s.t"]["kind"] != before["table", "s.t"]["kind"]
    assert after["table", "s.t"]["row_security_forced"] is True
    assert {key for key in before | after if before.get(key) != after.get(key)} == {
        ("table", "s.t")
    }


def test_options_of_columns_survive(native: Connection) -> None:
    run(
        native,
        "CREATE SCHEMA s; CREATE TABLE s.t (a int, b text); "
        "ALTER TABLE s.t ALTER b SET (n_distinct = -0.5, n_distinct_inherited = 7)",
    )
    before = described(native)

    remake(native, table(native), sql.SQL(""))

    assert described(native) == before


# hypertables

PLAIN = """
CREATE SCHEMA {schema};
CREATE TABLE {table} ({column} {type} NOT NULL, symbol text NOT NULL, other int NOT NULL);
CREATE FUNCTION {schema}."Unix now"() RETURNS bigint STABLE LANGUAGE sql AS 'SELECT 17::bigint';
"""


def make_plain(connection: Connection, type_: str) -> None:
    run(
        connection,
        PLAIN.replace("{column}", ODD["column"])
        .replace("{type}", type_)
        .replace("{schema}", ODD["schema"])
        .replace("{table}", ODD["table"]),
    )


def make_hypertable(connection: Connection, type_: str, interval: str, *more: str) -> None:
    make_plain(connection, type_)
    name, time = sql.Literal(ODD["table"]).as_string(), sql.Literal(COLUMN).as_string()
    run(
        connection,
        f"SELECT public.create_hypertable({name}, {time}, chunk_time_interval => {interval}, "
        "create_default_indexes => false)",
    )
    for statement in more:
        run(connection, statement.replace("NAME", name).replace("TIME", time))


def fill(connection: Connection, values: Sequence[str]) -> None:
    for number, value in enumerate(values):
        run(connection, f"INSERT INTO {ODD['table']} VALUES ('{value}', 's{number}', {number})")


def layout(connection: Connection, options: Options, *, timescaledb: bool) -> Layout:
    found = table(connection, TABLE)
    decided = layouts.decide(connection, [found], options=options, timescaledb=timescaledb)
    return decided.by_table[found.oid]


HASH = "SELECT public.add_dimension(NAME, 'symbol', number_partitions => 3)"
RANGE = "SELECT public.add_dimension(NAME, 'other', chunk_time_interval => 100)"
NOW = (
    "SELECT public.set_integer_now_func(NAME, "
    + sql.Literal(ODD["schema"] + '."Unix now"').as_string()
    + ")"
)


@pytest.mark.parametrize(
    ("type_", "interval", "more", "values"),
    [
        ("timestamptz", "interval '1 day'", (), ["2020-03-29 00:30Z", "1999-12-31 23:59:59.9Z"]),
        ("timestamptz(0)", "interval '1 month'", (), ["2020-01-01Z", "2021-01-01Z"]),
        ("timestamp", "interval '7 days'", (), ["2020-01-01 12:00", "0044-03-15 12:00 BC"]),
        ("date", "interval '1 day'", (), ["2020-02-29", "2020-03-01", "1969-12-31"]),
        ("bigint", "1000", (NOW,), ["-1", "0", "999", "1000", "123456789012"]),
        ("integer", "100", (), ["-2147483648", "2147483647", "5"]),
        ("smallint", "10", (), ["-32768", "32767", "5"]),
        ("timestamptz", "interval '1 hour'", (HASH,), ["2020-01-01Z", "2020-01-02Z"]),
        ("timestamptz", "interval '1 hour'", (RANGE,), ["2020-01-01Z", "2020-01-02Z"]),
    ],
)
def test_a_hypertable_is_made_anew(
    old: Connection,
    new: Connection,
    type_: str,
    interval: str,
    more: tuple[str, ...],
    values: list[str],
) -> None:
    make_hypertable(old, type_, interval, *more)
    fill(old, values)
    make_plain(new, type_)

    made = layout(old, Options(2), timescaledb=True)
    made.convert(new)
    made.finish(new)
    made.finish(new)
    fill(new, values)

    assert isinstance(made, AsHypertable)
    assert layouts.dimensions(new) == layouts.dimensions(old)
    parts = {part.label for part in table(old, TABLE).parts}
    assert {part.label for part in table(new, TABLE).parts} == parts
    places = made.places(new)
    assert places.keys() == (parts if made.seeded else set())
    for label, place in places.items():
        (part,) = [part for part in table(new, TABLE).parts if part.label == label]
        assert part.relations == (place,)


def test_a_hypertable_has_no_indexes_before_its_rows(old: Connection, new: Connection) -> None:
    make_hypertable(old, "timestamptz", "interval '1 day'")
    make_plain(new, "timestamptz")

    layout(old, Options(1), timescaledb=True).convert(new)

    assert [key for key in described(new) if key[0] == "index"] == []


def test_a_hash_function_of_ones_own_is_a_problem(old: Connection) -> None:
    make_hypertable(
        old,
        "timestamptz",
        "interval '1 day'",
        f"CREATE FUNCTION {ODD['schema']}.h(value anyelement) RETURNS int IMMUTABLE "
        "LANGUAGE sql AS 'SELECT 7'",
        "SELECT public.add_dimension(NAME, 'symbol', number_partitions => 3, "
        f"partitioning_func => {sql.Literal(ODD['schema'] + '.h').as_string()})",
    )

    (dimensions,) = layouts.dimensions(old).values()

    assert dimensions[0].problem is None
    assert dimensions[1].problem is not None
    assert "by a function of its own" in dimensions[1].problem


def test_a_partitioned_table_becomes_a_hypertable(old: Connection, new: Connection) -> None:
    script = (
        "CREATE SCHEMA s; CREATE TABLE s.t (at timestamptz NOT NULL, n int DEFAULT 7 CHECK (n > 0))"
        " PARTITION BY RANGE (at); "
        "CREATE TABLE s.t_1 PARTITION OF s.t FOR VALUES FROM ('2020-01-01Z') TO ('2020-01-02Z'); "
        "CREATE TABLE s.t_d PARTITION OF s.t DEFAULT; "
    )
    run(old, script)
    run(new, script.replace("CREATE TABLE s.t_", "-- ").replace("; -- ", ";\n--"))
    found = table(old)
    options = Options(1, hypertables=True)

    planned = layouts.decide(old, [found], options=options, timescaledb=True)
    planned.by_table[found.oid].convert(new)

    oids = {
        oid
        for (oid,) in run(
            old, "SELECT inhrelid::int8 FROM pg_inherits WHERE inhparent = 's.t'::regclass"
        )
    }
    assert planned.absorbed == oids
    assert len(oids) == 2
    assert table(new).kind == "hypertable"
    assert layouts.dimensions(new)["s", "t"] == (
        Dimension("at", "timestamp with time zone", "1 day", None, None, None, None),
    )
    assert described(new)["column", "s.t.n"]["default"] == "7"
    assert planned.by_table[found.oid].places(new) == {}


# partitions

MOMENTS = [
    "2020-03-29 00:30:00",
    "2020-03-29 23:30:00",
    "2020-02-29 12:00:00",
    "1999-12-31 23:59:59",
    "1969-12-31 00:00:00",
    "2020-12-31 23:59:59",
]


def copied(old: Connection, new: Connection, made: Layout) -> None:
    """Bring each part's rows into its own place, or else into the table, as a stream does."""
    places = made.places(new)
    for part in table(old, TABLE).parts:
        into = places.get(part.label, sql.Identifier(SCHEMA, TABLE))
        for relation in part.relations:
            rows_out = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT").format(relation)
            rows_in = sql.SQL("COPY {} FROM STDIN").format(into)
            with old.cursor().copy(rows_out) as out, new.cursor().copy(rows_in) as back:
                for block in out:
                    back.write(block)


def in_default(connection: Connection) -> int:
    return sum(
        int(run(connection, f"SELECT count(*) FROM ONLY {name}")[0][0])
        for (name,) in run(
            connection,
            "SELECT c.oid::regclass::text FROM pg_class c "
            "WHERE pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT'",
        )
    )


@pytest.mark.parametrize("width", ["chunk", "day", "week", "month"])
@pytest.mark.parametrize(
    ("type_", "interval"),
    [
        ("timestamptz", "1 day"),
        ("timestamp", "7 days"),
        ("date", "1 day"),
        ("timestamptz", "6 hours"),
        ("timestamp", "1 month"),
    ],
)
def test_every_row_of_a_hypertable_has_its_partition(
    old: Connection, native: Connection, type_: str, interval: str, width: Width
) -> None:
    make_hypertable(old, type_, f"interval '{interval}'", HASH)
    fill(old, [moment + ("Z" if type_ == "timestamptz" else "") for moment in MOMENTS])
    make_plain(native, type_)

    made = layout(old, Options(1, width), timescaledb=False)
    assert isinstance(made, AsPartitions)
    made.convert(native)
    copied(old, native, made)

    # What is there already is found again, as after an interruption.
    first, second = made.places(native), made.places(native)
    assert first == second
    assert first.keys() == (
        {p.label for p in table(old, TABLE).parts} if width == "chunk" else set()
    )
    assert in_default(native) == 0
    assert run(native, f"SELECT t::text FROM {ODD['table']} t ORDER BY symbol") == run(
        old, f"SELECT t::text FROM {ODD['table']} t ORDER BY symbol"
    )
    made.finish(native)
    assert run(native, "SELECT count(*) FROM slipway_partitions.managed") == [(1,)]


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        ("smallint", ["-32768", "-1", "0", "32767"]),
        ("integer", ["-2147483648", "-1", "0", "2147483647"]),
        ("bigint", ["-9223372036854775808", "-1", "0", "9223372036854775807"]),
    ],
)
def test_numbers_up_to_the_ends_of_their_type_have_partitions(
    old: Connection, native: Connection, type_: str, values: list[str]
) -> None:
    make_hypertable(old, type_, "1000")
    fill(old, values)
    make_plain(native, type_)

    made = layout(old, Options(1), timescaledb=False)
    made.convert(native)
    copied(old, native, made)

    assert made.places(native).keys() == {part.label for part in table(old, TABLE).parts}
    assert in_default(native) == 0
    made.finish(native)


@pytest.mark.parametrize("type_", ["timestamptz", "timestamp", "date"])
def test_the_ends_of_time_have_partitions(old: Connection, native: Connection, type_: str) -> None:
    make_hypertable(old, type_, "interval '100 years'")
    fill(old, ["infinity", "4714-11-24 00:00 BC", "0044-03-15 BC", "4000-01-01"])
    make_plain(native, type_)

    made = layout(old, Options(1), timescaledb=False)
    made.convert(native)
    copied(old, native, made)

    (bounds,) = run(
        native,
        "SELECT count(*) FILTER (WHERE lower IS NULL), count(*) FILTER (WHERE upper IS NULL) "
        f"FROM slipway_partitions.ranges({sql.Literal(ODD['table']).as_string()})",
    )
    assert bounds == (1, 1)
    assert made.places(native).keys() == {part.label for part in table(old, TABLE).parts}
    assert in_default(native) == 0
    made.finish(native)


# partitioned

RANGES = {
    "day": "(at date NOT NULL) PARTITION BY RANGE (at)|FROM ('2020-01-01') TO ('2020-01-02')",
    "nullable": "(at date) PARTITION BY RANGE (at)|FROM ('2020-01-01') TO ('2020-01-02')",
    "hours": (
        "(at timestamptz NOT NULL) PARTITION BY RANGE (at)"
        "|FROM ('2020-01-01 00:00Z') TO ('2020-01-01 06:00Z')"
    ),
    "odd": (
        '("a ""b"" \'c\'" timestamp NOT NULL) PARTITION BY RANGE ("a ""b"" \'c\'")'
        "|FROM ('2020-01-01') TO ('2020-01-08')"
    ),
    "open": (
        "(at timestamp NOT NULL) PARTITION BY RANGE (at)|FROM (MINVALUE) TO ('2020-01-01')"
        "|FROM ('2020-01-01') TO ('2020-01-02')|FROM ('2020-01-02') TO (MAXVALUE)|DEFAULT"
    ),
    "infinite": (
        "(at timestamp NOT NULL) PARTITION BY RANGE (at)|FROM ('-infinity') TO ('2020-01-01')"
        "|FROM ('2020-01-01') TO ('2020-01-02')|FROM ('2020-01-02') TO ('infinity')"
    ),
    "frequent": (
        "(at date NOT NULL) PARTITION BY RANGE (at)|FROM ('2020-01-01') TO ('2020-02-01')"
        "|FROM ('2020-02-01') TO ('2020-03-01')|FROM ('2020-03-01') TO ('2020-04-01')"
    ),
    "before christ": (
        "(at date NOT NULL) PARTITION BY RANGE (at)|FROM ('0044-03-14 BC') TO ('0044-03-15 BC')"
    ),
    "numbers": (
        "(n bigint NOT NULL) PARTITION BY RANGE (n)|FROM (-100) TO (0)|FROM (0) TO (100)"
        "|FROM (MINVALUE) TO (-100)"
    ),
    "small": "(n smallint NOT NULL) PARTITION BY RANGE (n)|FROM (-32768) TO (32767)",
    "default only": "(n int NOT NULL) PARTITION BY RANGE (n)|DEFAULT",
    "empty": "(n int NOT NULL) PARTITION BY RANGE (n)",
    "text": "(c text NOT NULL) PARTITION BY RANGE (c)|FROM ('it''s') TO ('it''t, (x)')",
    "exact": "(n numeric NOT NULL) PARTITION BY RANGE (n)|FROM (1.5) TO (2.5)",
    "list": "(n int NOT NULL) PARTITION BY LIST (n)|IN (1, 2)",
    "hash": "(n int NOT NULL) PARTITION BY HASH (n)|WITH (MODULUS 1, REMAINDER 0)",
    "two columns": "(n int, m int) PARTITION BY RANGE (n, m)|FROM (1, 1) TO (2, 2)",
    "expression": "(n int) PARTITION BY RANGE ((n + 1))|FROM (1) TO (2)",
}
FOUND = {
    "day": ("at", "date", True, "1 day", None),
    "nullable": ("at", "date", True, "1 day", "column 'at' may be NULL"),
    "hours": ("at", "timestamp with time zone", True, "06:00:00", None),
    "odd": ("a \"b\" 'c'", "timestamp without time zone", True, "7 days", None),
    "open": ("at", "timestamp without time zone", True, "1 day", None),
    "infinite": ("at", "timestamp without time zone", True, "1 day", None),
    "frequent": ("at", "date", True, "31 days", None),
    "before christ": ("at", "date", True, "1 day", None),
    "numbers": ("n", "bigint", True, "100", None),
    "small": ("n", "smallint", True, "65535", None),
    "default only": ("n", "integer", True, None, "no width can be told from its partitions"),
    "empty": ("n", "integer", True, None, "no width can be told from its partitions"),
    "text": ("c", "text", True, None, "no width can be told from its partitions"),
    "exact": ("n", "numeric", True, None, "no width can be told from its partitions"),
}


def partitions(connection: Connection) -> dict[str, Partitioned]:
    found = layouts.partitioned(connection)
    names = {table.oid: table.name for table in relations.tables(connection)}
    return {names[oid]: value for oid, value in found.items()}


def make_partitioned(connection: Connection, name: str, description: str) -> None:
    root = sql.Identifier("s", name).as_string()
    columns, *bounds = description.split("|")
    run(connection, f"CREATE TABLE {root} {columns}")
    for number, bound in enumerate(bounds):
        part = sql.Identifier("s", f"{name}_{number}").as_string()
        clause = bound if bound == "DEFAULT" else f"FOR VALUES {bound}"
        run(connection, f"CREATE TABLE {part} PARTITION OF {root} {clause}")


def test_ranges_of_one_column_are_told_from_everything_else(native: Connection) -> None:
    run(native, "CREATE SCHEMA s")
    for name, description in RANGES.items():
        make_partitioned(native, name, description)

    found = {
        name: (value.column, value.type, value.flat, value.width, value.problem)
        for name, value in partitions(native).items()
    }

    assert found == FOUND


def test_a_partition_that_is_partitioned_again_is_a_problem(native: Connection) -> None:
    run(
        native,
        "CREATE SCHEMA s; CREATE TABLE s.t (n int NOT NULL, m int) PARTITION BY RANGE (n); "
        "CREATE TABLE s.u PARTITION OF s.t FOR VALUES FROM (1) TO (2) PARTITION BY LIST (m); "
        "CREATE TABLE s.v PARTITION OF s.u FOR VALUES IN (1)",
    )

    (found,) = partitions(native).values()

    assert found.problem == "its partitions are partitioned again"


def test_numbers_as_wide_as_their_type_end_no_plan(native: Connection) -> None:
    run(native, "CREATE SCHEMA s")
    make_partitioned(
        native,
        "t",
        "(n bigint NOT NULL) PARTITION BY RANGE (n)|FROM (-9223372036854775808) TO (1)"
        "|FROM (1) TO (101)|FROM (101) TO (201)",
    )

    assert partitions(native)["t"].width == "100"


# keys

KEYS = """
CREATE SCHEMA {schema};
CREATE TABLE {schema}.other (id int PRIMARY KEY, "a b" int UNIQUE);
CREATE TABLE {table} (
  {column} int NOT NULL, a int, b int, during int4range,
  CONSTRAINT "the %s ""key"" 'of' {{}}" PRIMARY KEY ({column}) INCLUDE (b),
  CONSTRAINT later UNIQUE (a) DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT "null's" UNIQUE NULLS NOT DISTINCT (b, a) WITH (fillfactor = 70),
  CONSTRAINT apart EXCLUDE USING gist (during WITH &&) WHERE (a > 0),
  CONSTRAINT "to itself" FOREIGN KEY (b) REFERENCES {table} ON DELETE CASCADE,
  CONSTRAINT "a far %" FOREIGN KEY (a) REFERENCES {schema}.other ("a b") MATCH FULL
    ON UPDATE SET NULL DEFERRABLE,
  CONSTRAINT checked CHECK (a <> 7)
);
ALTER TABLE {table} ADD CONSTRAINT "not yet" FOREIGN KEY (b) REFERENCES {schema}.other NOT VALID;
COMMENT ON CONSTRAINT "the %s ""key"" 'of' {{}}" ON {table} IS 'it''s %s {{}} \\ "x"
of two lines';
COMMENT ON CONSTRAINT "to itself" ON {table} IS 'a tree';
"""


def test_keys_are_made_as_they_were(native: Connection) -> None:
    run(native, KEYS.format(**ODD))
    found = keys.read(native, [table(native, TABLE)])
    names = [key.name for key in found]
    for name in reversed(names):
        run(
            native,
            f"ALTER TABLE {ODD['table']} DROP CONSTRAINT {sql.Identifier(name).as_string()}",
        )
    assert keys.read(native, [table(native, TABLE)]) == []

    keys.make(native, found)

    assert keys.read(native, [table(native, TABLE)]) == found
    assert names[0] == "the %s \"key\" 'of' {}"
    assert sorted(names[1:4]) == ["apart", "later", "null's"]
    assert {key.name for key in found if key.foreign} == {"to itself", "a far %", "not yet"}
    assert {key.name for key in found if key.definition.endswith(" NOT VALID")} == {"not yet"}


def test_keys_that_are_there_stay_as_they_are(native: Connection) -> None:
    run(native, KEYS.format(**ODD))
    found = keys.read(native, [table(native, TABLE)])
    before = run(native, "SELECT oid FROM pg_constraint ORDER BY oid")

    keys.make(native, found)

    assert run(native, "SELECT oid FROM pg_constraint ORDER BY oid") == before


def test_a_key_that_cannot_be_made_leaves_nothing_behind(native: Connection) -> None:
    run(native, KEYS.format(**ODD))
    found = [key for key in keys.read(native, [table(native, TABLE)]) if not key.foreign]
    run(native, f"ALTER TABLE {ODD['table']} DROP CONSTRAINT later")
    run(native, f"INSERT INTO {ODD['schema']}.other VALUES (1, 1)")
    run(native, f"INSERT INTO {ODD['table']} VALUES (1, 1, NULL, NULL), (2, 1, 1, NULL)")

    with pytest.raises(psycopg.errors.UniqueViolation):
        keys.make(native, found)

    assert "later" not in {key.name for key in keys.read(native, [table(native, TABLE)])}


def test_the_keys_of_a_hypertable_are_made_on_partitions(
    old: Connection, native: Connection
) -> None:
    make_hypertable(old, "timestamptz", "interval '1 day'")
    run(
        old,
        f"ALTER TABLE {ODD['table']} ADD CONSTRAINT k PRIMARY KEY (symbol, {ODD['column']}); "
        f'CREATE UNIQUE INDEX "a ON b" ON {ODD["table"]} ({ODD["column"]} DESC, other); '
        f'CREATE INDEX "x USING y" ON {ODD["table"]} (lower(symbol)) WHERE other > 0',
    )
    fill(old, ["2020-01-01Z", "2020-01-02Z"])
    make_plain(native, "timestamptz")
    made = layout(old, Options(1), timescaledb=False)
    made.convert(native)
    made.places(native)
    found = keys.read(old, [made.table])
    indexes = keys.indexes(old, [made.table])

    keys.make(native, found)
    for index in indexes.values():
        keys.make_index(native, index)

    assert [
        replace(key, table=made.table) for key in keys.read(native, [table(native, TABLE)])
    ] == found
    assert {index.name for index in indexes.values()} == {"a ON b", "x USING y"}
    here = {
        name: definition
        for (kind, name), definition in described(native).items()
        if kind == "index"
    }
    for index in indexes.values():
        whole = f"{ODD['schema']}.{sql.Identifier(index.name).as_string()}"
        assert objects.on_all(here[whole]["definition"]) == objects.on_all(index.definition)
        # An index on a table alone is not valid before all partitions have theirs.
        assert here[whole]["valid"] is True


# finishing

SEQUENCES = """
CREATE SCHEMA {schema};
CREATE SEQUENCE {schema}.untouched START 7;
CREATE SEQUENCE {schema}.down INCREMENT -5 MINVALUE -1000 MAXVALUE -1 START -1;
CREATE SEQUENCE {schema}.round MAXVALUE 3 CYCLE;
CREATE SEQUENCE {schema}.small AS smallint;
CREATE SEQUENCE {schema}.big;
CREATE SEQUENCE {schema}."Odd ""q"" 'x'.y %s";
CREATE TABLE {table} (
  id int GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME {schema}."id of t" START 100),
  {column} serial
);
"""
ADVANCE = """
SELECT nextval('{schema}.down'), nextval('{schema}.down');
SELECT nextval('{schema}.round') FROM generate_series(1, 5);
SELECT setval('{schema}.small', 32767);
SELECT setval('{schema}.big', 9223372036854775807, false);
SELECT setval('{schema}."Odd ""q"" ''x''.y %s"', 3, true);
INSERT INTO {table} DEFAULT VALUES;
"""


def receipt(connection: Connection) -> Receipt:
    return Receipt(170000, recoded=False, tables=(), objects=objects.read(connection))


def of_kind(connection: Connection, kind: str) -> tuple[DatabaseObject, ...]:
    return receipt(connection).of_kind(kind)


def test_sequences_count_on_from_where_they_were(old: Connection, native: Connection) -> None:
    for connection in (old, native):
        run(connection, SEQUENCES.format(**ODD))
    quoted = {name: value.replace("'", "''") for name, value in ODD.items()}
    for statement in ADVANCE.strip().split(";\n"):
        names = ODD if statement.startswith("INSERT") else quoted
        run(old, statement.rstrip(";").format(**names))
    before = of_kind(native, "sequence")

    finishing.set_sequences(native, receipt(old))

    assert of_kind(native, "sequence") == of_kind(old, "sequence") != before
    run(native, f"INSERT INTO {ODD['table']} DEFAULT VALUES")
    run(old, f"INSERT INTO {ODD['table']} DEFAULT VALUES")
    everything = f"SELECT * FROM {ODD['table']} ORDER BY 1 DESC LIMIT 1"
    assert run(native, everything) == run(old, everything)


def test_a_source_without_sequences_sets_none(native: Connection) -> None:
    finishing.set_sequences(native, Receipt(170000, recoded=False, tables=(), objects=()))


VIEWS = """
CREATE SCHEMA s;
CREATE TABLE s.t AS SELECT 1 AS n;
CREATE MATERIALIZED VIEW s."z.1 ""%s"" x" AS SELECT n FROM s.t;
CREATE MATERIALIZED VIEW s.m AS SELECT n FROM s."z.1 ""%s"" x";
CREATE VIEW s.between AS SELECT n FROM s.m;
CREATE MATERIALIZED VIEW s.a AS SELECT n FROM s.between;
CREATE MATERIALIZED VIEW s.empty AS SELECT n FROM s.a WITH NO DATA;
"""


def filled(connection: Connection) -> dict[str, bool]:
    return {
        found.name: found.properties["populated"]
        for found in of_kind(connection, "materialized view")
    }


def test_views_are_filled_one_after_the_other(native: Connection) -> None:
    run(native, VIEWS)
    found = receipt(native)
    before = filled(native)
    for name in ('s."z.1 ""%s"" x"', "s.m", "s.a"):
        run(native, f"REFRESH MATERIALIZED VIEW {name} WITH NO DATA")

    finishing.refresh(native, found)

    assert filled(native) == before
    assert set(before.values()) == {True, False}
    assert run(native, "SELECT n FROM s.a") == [(1,)]


def test_a_view_that_is_filled_is_left_alone(native: Connection) -> None:
    run(native, VIEWS)
    run(native, "INSERT INTO s.t VALUES (2)")

    finishing.refresh(native, receipt(native))

    assert run(native, "SELECT n FROM s.m") == [(1,)]


def test_an_index_of_the_root_alone_is_made_on_its_partitions_too(native: Connection) -> None:
    run(native, "CREATE SCHEMA s")
    make_partitioned(native, "t", "(n int NOT NULL) PARTITION BY RANGE (n)|FROM (1) TO (9)")
    (found,) = [found for found in relations.tables(native) if found.name == "t"]

    keys.make_index(native, Index(found, "i", "CREATE INDEX i ON ONLY s.t USING btree (n)"))

    query = "SELECT count(*) FROM pg_index WHERE indrelid = 's.t_0'::regclass AND indisvalid"
    assert run(native, query) == [(1,)]


def test_a_view_that_nothing_can_fill_says_what_it_waits_for(databases: Server) -> None:
    with pytest.raises(TargetError, match=r'materialized view "z" has not been populated'):
        fill_in_vain(databases)


def fill_in_vain(server: Server) -> None:
    with opened(server, NATIVE) as connection:
        run(
            connection,
            "CREATE SCHEMA s; CREATE MATERIALIZED VIEW s.z AS SELECT 1 AS n; "
            "CREATE MATERIALIZED VIEW s.a AS SELECT n FROM s.z; "
            "REFRESH MATERIALIZED VIEW s.z WITH NO DATA",
        )
        found = receipt(connection)
        run(connection, "REFRESH MATERIALIZED VIEW s.a WITH NO DATA")
        try:
            finishing.refresh(connection, found)
        finally:
            clean(connection)


# columns

TYPES = {
    "int": True,
    "int[]": True,
    "text": True,
    "varchar(3)": True,
    "char(3)": True,
    "numeric(9,3)[]": True,
    "bytea": True,
    "uuid": True,
    "json": True,
    "jsonb[]": True,
    "inet": True,
    "interval": True,
    "timetz": True,
    "s.mood": True,
    "s.mood[]": False,
    "s.pair": False,
    "s.pair[]": False,
    "s.number": True,
    "s.deep": True,
    "s.numbers": True,
    "s.number[]": False,
    "s.moods": True,
    "s.mood_lists": False,
    "s.pairs": False,
    "regclass": False,
    "oid": False,
    "xml": False,
    "money": False,
    "name": False,
    '"char"': False,
    "bit(3)": False,
    "tsvector": False,
    "int4range": False,
    "pg_lsn": False,
    "point": False,
    "s.text": False,
    "s.own": False,
}


def test_binary_form_is_only_for_what_looks_the_same_everywhere(native: Connection) -> None:
    run(
        native,
        "CREATE SCHEMA s; CREATE TYPE s.mood AS ENUM ('a', 'b'); CREATE TYPE s.pair AS (a int); "
        "CREATE DOMAIN s.number AS int; CREATE DOMAIN s.deep AS s.number; "
        "CREATE DOMAIN s.numbers AS int[]; CREATE DOMAIN s.moods AS s.mood; "
        "CREATE DOMAIN s.mood_lists AS s.mood[]; CREATE DOMAIN s.pairs AS s.pair; "
        # A built-in type's name in another schema, as an extension may have it.
        "CREATE TYPE s.text AS ENUM (); CREATE TYPE s.own; DROP TYPE s.text; CREATE TYPE s.text; "
        "CREATE FUNCTION s.text_in(cstring) RETURNS s.text IMMUTABLE STRICT LANGUAGE internal "
        "AS 'textin'; "
        "CREATE FUNCTION s.text_out(s.text) RETURNS cstring IMMUTABLE STRICT LANGUAGE internal "
        "AS 'textout'; "
        "CREATE TYPE s.text (INPUT = s.text_in, OUTPUT = s.text_out, LIKE = pg_catalog.text); "
        "CREATE FUNCTION s.own_in(cstring) RETURNS s.own IMMUTABLE STRICT LANGUAGE internal "
        "AS 'textin'; "
        "CREATE FUNCTION s.own_out(s.own) RETURNS cstring IMMUTABLE STRICT LANGUAGE internal "
        "AS 'textout'; "
        "CREATE TYPE s.own (INPUT = s.own_in, OUTPUT = s.own_out, LIKE = pg_catalog.text)",
    )
    for number, type_ in enumerate(TYPES):
        run(native, f"CREATE TABLE s.t{number} (a int, b {type_})")
    oids = {found.name: found.oid for found in relations.tables(native)}

    found = rows.columns(native, list(oids.values()))

    assert {type_: found[oids[f"t{number}"]].binary for number, type_ in enumerate(TYPES)} == TYPES


def test_only_columns_with_values_of_their_own_are_copied(native: Connection) -> None:
    run(
        native,
        'CREATE SCHEMA s; CREATE TABLE s.t ("B %s" int, gone xml, a int GENERATED ALWAYS AS '
        '("B %s" + 1) STORED, i int GENERATED ALWAYS AS IDENTITY, z text); '
        "ALTER TABLE s.t DROP gone; CREATE TABLE s.u ()",
    )
    first, second = (table(native, name).oid for name in ("t", "u"))

    found = rows.columns(native, [first, second])

    assert found[first] == rows.Columns(("B %s", "i", "z"), binary=True)
    assert found[second] == rows.Columns((), binary=True)
    assert found[first].listed().as_string() == '"B %s", "i", "z"'


# settings of a server that is loaded


@pytest.fixture
def settings(native: Connection) -> Iterator[Connection]:
    run(native, "ALTER SYSTEM SET max_wal_size = '3GB'")
    run(native, "ALTER SYSTEM SET autovacuum = on")
    yield native
    for name in load_settings.SETTINGS:
        with suppress(psycopg.Error):
            run(native, f"ALTER SYSTEM RESET {name}")


def test_settings_that_were_there_come_back(settings: Connection) -> None:
    before = load_settings.before(settings)

    load_settings.apply(settings, before)
    meanwhile = load_settings.before(settings)
    load_settings.apply(settings, before)
    load_settings.restore(settings, before)
    load_settings.restore(settings, before)

    assert before["max_wal_size"] == "3GB"
    assert before["autovacuum"] == "on"
    assert before["wal_level"] is None
    assert meanwhile == {name: load_settings.SETTINGS[name] for name in before}
    assert load_settings.before(settings) == before
    # Without a restart nothing is in force.
    assert not load_settings.in_force(settings)


def test_a_server_that_somebody_replicates_keeps_its_settings(native: Connection) -> None:
    assert load_settings.allowed(native)

    run(native, "SELECT pg_create_physical_replication_slot('somebody')")
    try:
        assert not load_settings.allowed(native)
    finally:
        run(native, "SELECT pg_drop_replication_slot('somebody')")
