"""The survey names each hazard of databases that were built to have it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import docker
import psycopg
import pytest

from backend.config import Endpoint, Secret
from infra.errors import SourceError
from infra.postgres import survey, target
from infra.postgres.connection import connect
from infra.postgres.survey import Role, Survey
from infra.postgres.table_sizes import TableSize
from infra.settings import Images
from infra.transfer import prediction
from tests.fixtures.faults import wait_until
from tests.fixtures.servers import Server, start_server

READER, OWNER = "survey reader", "survey_owner"

# Two of everything would prove no more than one.
HAZARDS = f"""
CREATE TABLE plain (id int PRIMARY KEY, name text, born text COLLATE "de-x-icu");
CREATE TABLE secret (id int);
CREATE TABLE guarded (id int, owner text);
CREATE POLICY own ON guarded TO "{READER}" USING (owner = current_user);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE TABLE split (at date, id int) PARTITION BY RANGE (at);
CREATE TABLE split_2020 PARTITION OF split FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
INSERT INTO split VALUES ('2020-02-02', 1);
CREATE UNLOGGED TABLE fleeting (id int);
CREATE SEQUENCE hidden_seq;
CREATE MATERIALIZED VIEW summary AS SELECT count(*) FROM plain;
SELECT lo_from_bytea(0, 'large');
GRANT SELECT ON plain, guarded, split, split_2020, fleeting TO "{READER}";
ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} GRANT SELECT ON TABLES TO "{READER}";
CREATE TABLE owned (id int); ALTER TABLE owned OWNER TO {OWNER};
CREATE INDEX twice ON plain (name);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'twice'::regclass;
CREATE FUNCTION say() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER told ON ddl_command_end EXECUTE FUNCTION say();
ALTER EVENT TRIGGER told DISABLE;
CREATE PUBLICATION everything FOR ALL TABLES;
CREATE PUBLICATION a_schema FOR TABLES IN SCHEMA public;
CREATE PUBLICATION one_table FOR TABLE plain;
CREATE SUBSCRIPTION feed CONNECTION 'host=nowhere password=canary' PUBLICATION x
  WITH (connect = false);
CREATE FOREIGN DATA WRAPPER wrapper;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER wrapper OPTIONS (host 'canary');
CREATE USER MAPPING FOR {OWNER} SERVER elsewhere OPTIONS (password 'canary');
CREATE FOREIGN TABLE far (id int) SERVER elsewhere;
CREATE FOREIGN TABLE seen (id int) SERVER elsewhere;
CREATE VIEW sees AS SELECT id FROM seen;
CREATE FUNCTION lonely(int, int) RETURNS bool LANGUAGE internal IMMUTABLE AS 'int4eq';
CREATE FUNCTION needed(int, int) RETURNS bool LANGUAGE internal IMMUTABLE AS 'int4lt';
ALTER TABLE plain ADD CHECK (needed(id, 1000));
CREATE CAST (text AS uuid) WITH INOUT;
CREATE TYPE mood AS ENUM ('good'); CREATE TYPE span AS RANGE (subtype = int4);
"""

# Rows below the root get there in restoring mode only, without the trigger that guards it.
TICKS = """
CREATE EXTENSION timescaledb;
CREATE TABLE ticks (ts timestamptz NOT NULL, price float8);
SELECT create_hypertable('ticks', 'ts', chunk_time_interval => interval '1 day');
INSERT INTO ticks SELECT '2020-01-01 00:00Z'::timestamptz + i * interval '1 minute', i
  FROM generate_series(0, 2879) i;
SET session_replication_role = replica;
SET timescaledb.restoring = on;
INSERT INTO ticks VALUES ('2020-01-01', 1), ('2020-01-02', 2);
RESET timescaledb.restoring;
INSERT INTO _timescaledb_catalog.chunk_column_stats
  (hypertable_id, chunk_id, column_name, range_start, range_end, valid)
  SELECT id, 0, 'price', 0, 1, true FROM _timescaledb_catalog.hypertable;
RESET session_replication_role;
INSERT INTO _timescaledb_catalog.tablespace (hypertable_id, tablespace_name)
  SELECT id, 'pg_default' FROM _timescaledb_catalog.hypertable;
INSERT INTO _timescaledb_config.bgw_job (application_name, schedule_interval, max_runtime,
  max_retries, retry_period, proc_schema, proc_name, owner, scheduled, hypertable_id)
  SELECT 'x', '1 day', '0', 0, '1 day', 'public', 'tidy', '"survey reader"', false, id
  FROM _timescaledb_catalog.hypertable;
INSERT INTO _timescaledb_catalog.continuous_agg
  SELECT id, id, NULL, 'public', 'hourly', 'a', 'b', 'c', 'd', false, false
  FROM _timescaledb_catalog.hypertable WHERE table_name = 'materialized';
ANALYZE;
"""

# The Apache edition compresses nothing, so what it would find is put into the catalog by hand. The
# batch is the one byte that stands for a column of nothing but NULL.
COMPRESSED = """
CREATE TABLE _timescaledb_internal._compressed_hypertable_99 (price bytea);
CREATE TABLE _timescaledb_internal.compress_hyper_99_98_chunk ()
  INHERITS (_timescaledb_internal._compressed_hypertable_99);
INSERT INTO _timescaledb_catalog.hypertable VALUES (99, '_timescaledb_internal',
  '_compressed_hypertable_99', '_timescaledb_internal', '_hyper_99', 0, '_timescaledb_functions',
  'calculate_chunk_interval', 0, 2, NULL, 0);
INSERT INTO _timescaledb_catalog.chunk VALUES
  (98, 99, '_timescaledb_internal', 'compress_hyper_99_98_chunk', NULL, false, 0, false, now());
UPDATE _timescaledb_catalog.chunk SET compressed_chunk_id = 98, status = 1 WHERE id = 2;
INSERT INTO _timescaledb_catalog.compression_chunk_size
  VALUES (2, 98, 1, 1, 1, 1, 1, 1, 1440, 2, 0);
INSERT INTO _timescaledb_internal.compress_hyper_99_98_chunk VALUES ({batch}::bytea);
UPDATE pg_attribute SET atttypid = '_timescaledb_internal.compressed_data'::regtype
  WHERE attname = 'price' AND atttypid = 'bytea'::regtype;
"""
A_NULL_BATCH, ANOTHER_BATCH = r"'\x06'", "repeat('x', 40)"


@pytest.fixture(scope="module")
def own_server(docker_client: docker.DockerClient, images: Images) -> Iterator[Server]:
    """Start a server that allows prepared transactions, with the roles that databases name."""
    started = start_server(docker_client, images.database)
    started.execute("ALTER SYSTEM SET max_prepared_transactions = 5")
    started.container.restart(timeout=20)
    started.container.reload()
    bindings = started.container.attrs["NetworkSettings"]["Ports"]["5432/tcp"]
    started.port = int(bindings[0]["HostPort"])

    def answers() -> bool:
        try:
            started.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    wait_until(answers)
    started.execute(f"CREATE ROLE \"{READER}\" LOGIN PASSWORD '{started.password}'")
    started.execute(f"CREATE ROLE {OWNER}")
    yield started
    started.container.remove(force=True, v=True)


def create(server: Server, name: str, script: str, *, options: str = "") -> None:
    server.execute(f"DROP DATABASE IF EXISTS {name}")
    server.execute(f"CREATE DATABASE {name} TEMPLATE template0 {options}")
    with server.connect(name) as connection:
        for statement in script.split(";\n"):
            if statement.strip():
                connection.execute(statement.encode())


@pytest.fixture(scope="module")
def hazards(own_server: Server) -> Iterator[Server]:
    """Make the database `hazards`, with a transaction in it that is prepared."""
    create(own_server, "hazards", HAZARDS)
    own_server.execute("BEGIN; INSERT INTO plain VALUES (1); PREPARE TRANSACTION 'half'", "hazards")
    yield own_server
    own_server.execute("ROLLBACK PREPARED 'half'", "hazards")
    # A subscription without a slot would keep the database from being dropped.
    own_server.execute("ALTER SUBSCRIPTION feed SET (slot_name = NONE)", "hazards")
    own_server.execute("DROP SUBSCRIPTION feed", "hazards")


@pytest.fixture(scope="module")
def ticks(own_server: Server) -> Server:
    """Make the database `ticks`: one hypertable that has been through a lot."""
    create(own_server, "ticks", TICKS)
    return own_server


def endpoint(server: Server, database: str, user: str = "postgres") -> Endpoint:
    return Endpoint(
        "source", "admin", "127.0.0.1", server.port, database, user, Secret(server.password)
    )


def survey_of(server: Server, database: str, user: str = "postgres") -> Survey:
    with connect(endpoint(server, database, user), "source") as connection:
        connection.read_only = True
        return survey.take(connection)


@pytest.fixture(scope="module")
def found(hazards: Server) -> Survey:
    return survey_of(hazards, "hazards")


@pytest.fixture(scope="module")
def read(hazards: Server) -> Survey:
    return survey_of(hazards, "hazards", READER)


@pytest.mark.parametrize(
    ("fact", "names"),
    [
        ("owners", ("postgres", OWNER)),
        ("policy_roles", (READER,)),
        ("grantees", (READER,)),
        ("default_privilege_roles", (OWNER,)),
        ("hidden_rows", ()),
        ("unreadable_tables", ()),
        ("unreadable_sequences", ()),
        ("invalid_indexes", ("public.twice",)),
        ("unlogged_tables", ("public.fleeting",)),
        ("prepared_transactions", ("half",)),
        ("materialized_views", ("public.summary",)),
        ("foreign_data_wrappers", ("wrapper",)),
        ("foreign_servers", ("elsewhere",)),
        ("foreign_tables", ("public.far", "public.seen")),
        ("required_foreign_tables", ("public.seen",)),
        ("user_mappings", (f"{OWNER} at elsewhere",)),
        ("publications", ("one_table",)),
        ("publications_for_all_tables", ("everything",)),
        ("publications_for_schemas", ("a_schema",)),
        ("subscriptions", ("feed",)),
        ("event_triggers", ("told",)),
        ("security_labels", ()),
        ("tablespaces", ()),
    ],
)
def test_a_superuser_is_told_of(found: Survey, fact: str, names: tuple[str, ...]) -> None:
    assert getattr(found, fact) == names


def test_another_role_is_told_what_it_may_not_read(read: Survey) -> None:
    assert read.role == Role(READER, superuser=False, bypasses_row_security=False)
    assert read.hidden_rows == ("public.guarded",)
    assert read.unreadable_tables == ("public.owned", "public.secret")
    assert read.unreadable_sequences == ("public.hidden_seq",)
    assert (read.large_objects, read.unreadable_large_objects) == (1, 1)


def test_a_partition_that_may_not_be_read_is_named_by_its_table(hazards: Server) -> None:
    revoke = f'REVOKE SELECT ON split_2020 FROM "{READER}"'
    hazards.execute(revoke, "hazards")
    try:
        assert "public.split" in survey_of(hazards, "hazards", READER).unreadable_tables
    finally:
        hazards.execute(revoke.replace("REVOKE", "GRANT").replace("FROM", "TO"), "hazards")


def test_what_only_a_superuser_may_make_is_named(found: Survey) -> None:
    assert set(found.superuser_objects) == {
        "function public.lonely(integer,integer)",
        "function public.needed(integer,integer)",
        "cast (pg_catalog.text AS pg_catalog.uuid)",
    }


def test_a_collation_of_a_column_is_named(hazards: Server, found: Survey) -> None:
    (column,) = found.column_collations
    assert (column.column, column.needs, column.provider) == (
        "public.plain.born",
        "de-x-icu",
        "icu",
    )
    with connect(endpoint(hazards, "hazards", "postgres"), "target") as connection:
        known = survey.known_collations(connection, ["de-x-icu", "xx-x-icu", "C.utf-8"])
    assert set(known) == {"de-x-icu", "C.utf-8"}


def test_versions_on_offer_begin_with_the_default(hazards: Server) -> None:
    with connect(endpoint(hazards, "hazards", "postgres"), "target") as connection:
        offered = survey.offered_versions(connection, ["hstore", "timescaledb", "no such one"])

    default = hazards.execute(
        "SELECT default_version FROM pg_available_extensions WHERE name = 'hstore'"
    )
    assert set(offered) == {"hstore", "timescaledb"}
    assert (offered["hstore"][0],) == default[0]
    assert len(offered["hstore"]) > 1


def test_a_survey_holds_no_secret_and_survives_json(found: Survey, hazards: Server) -> None:
    text = json.dumps(found.as_json())

    assert "canary" not in text
    assert hazards.password not in text
    assert Survey.from_json(json.loads(text)) == found


def test_a_survey_leaves_the_transaction_and_its_settings_alone(hazards: Server) -> None:
    with hazards.connect("hazards") as connection:
        connection.execute("BEGIN; SET LOCAL search_path = public; SET LOCAL work_mem = '5MB'")
        survey.take(connection)
        connection.execute("INSERT INTO plain (id) VALUES (77)")
        row = connection.execute(
            "SELECT current_setting('search_path'), current_setting('work_mem')"
        ).fetchone()
        connection.execute("ROLLBACK")

    assert row == ("public", "5MB")


def test_a_policy_that_would_write_cannot(own_server: Server) -> None:
    script = f"""
CREATE EXTENSION timescaledb;
CREATE TABLE ticks (ts timestamptz NOT NULL);
SELECT create_hypertable('ticks', 'ts');
CREATE TABLE spoils (id int);
GRANT ALL ON ticks, spoils TO "{READER}";
CREATE FUNCTION trap() RETURNS bool LANGUAGE sql VOLATILE
  AS 'INSERT INTO public.spoils VALUES (1) RETURNING true';
SET session_replication_role = replica;
SET timescaledb.restoring = on;
INSERT INTO ticks VALUES (now());
RESET timescaledb.restoring;
CREATE POLICY trap ON ticks USING (trap());
ALTER TABLE ticks ENABLE ROW LEVEL SECURITY;
"""
    create(own_server, "hostile", script)
    with (
        pytest.raises(SourceError, match="read-only transaction"),
        connect(endpoint(own_server, "hostile", READER), "source", autocommit=True) as connection,
    ):
        survey.take(connection)

    assert own_server.execute("TABLE spoils", "hostile") == []


def test_a_hypertable_that_has_been_through_a_lot(ticks: Server) -> None:
    found = survey_of(ticks, "ticks").timescaledb

    assert found is not None
    assert (found.version, found.schema) == (
        ticks.execute("SELECT extversion FROM pg_extension WHERE extname ~ 'timescale'", "ticks")[
            0
        ][0],
        "public",
    )
    assert (found.names, found.chunks, found.elsewhere) == (("public.ticks",), 2, ())
    assert found.root_rows == {"public.ticks": 2}
    assert found.orphaned_column_stats == 1
    assert found.tablespaces == ("pg_default of public.ticks",)
    assert found.jobs == ("1000 tidy on public.ticks",)
    assert found.job_owners == (READER,)
    assert (found.compressed, found.null_batches) == ({}, ())


def test_a_hypertable_is_as_large_as_its_chunks(ticks: Server) -> None:
    found = survey_of(ticks, "ticks")

    (table,) = [table for table in found.tables if table.name == "ticks"]
    ((heap, indexes),) = ticks.execute(
        "SELECT table_bytes + toast_bytes, index_bytes FROM hypertable_detailed_size('ticks')",
        "ticks",
    )
    assert (table.rows, table.heap, table.indexes) == (2882, heap, indexes)
    assert [str(other) for other in found.tables] == ["public.ticks"]
    assert found.rebuilt_indexes <= table.indexes
    assert found.rebuilt_size <= found.size


@pytest.mark.parametrize(
    ("batch", "damaged"),
    [(A_NULL_BATCH, ("_timescaledb_internal._hyper_1_2_chunk",)), (ANOTHER_BATCH, ())],
)
def test_a_compressed_column_of_nothing_but_null_is_found(
    own_server: Server, batch: str, damaged: tuple[str, ...]
) -> None:
    create(own_server, "packed", TICKS + COMPRESSED.replace("{batch}", batch))

    found = survey_of(own_server, "packed")

    assert found.timescaledb is not None
    assert found.timescaledb.compressed == {"public.ticks": 1}
    assert found.timescaledb.compressed_rows == 1440
    assert found.timescaledb.null_batches == damaged
    assert found.timescaledb.names == ("public.ticks",)
    # What is compressed counts for its hypertable and is no table itself.
    (table,) = found.tables
    (before,) = survey_of_ticks_alone(own_server)
    assert table.heap > before.heap


def survey_of_ticks_alone(server: Server) -> tuple[TableSize, ...]:
    create(server, "alone", TICKS)
    return survey_of(server, "alone").tables


@pytest.mark.parametrize(
    "setting",
    [
        "ALTER DATABASE hung SET",
        "ALTER ROLE postgres SET",
        # Only the catalog tells of another role's.
        f"ALTER ROLE {OWNER} IN DATABASE hung SET",
    ],
)
def test_a_restoring_mode_that_was_left_on_is_found(own_server: Server, setting: str) -> None:
    create(own_server, "hung", "CREATE EXTENSION timescaledb;\n")
    assert not survey_of(own_server, "hung").restoring
    own_server.execute(f"{setting} timescaledb.restoring = on", "hung")
    try:
        assert survey_of(own_server, "hung").restoring
    finally:
        own_server.execute("ALTER ROLE postgres RESET ALL", "hung")
        own_server.execute("DROP DATABASE hung")


ASCII = "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("INSERT INTO good VALUES (1, 'gut')", None),
        ("INSERT INTO good VALUES (1, E'sch\\366n')", "public.good.note"),
        ("INSERT INTO good (tags) VALUES (ARRAY[E'sch\\366n'])", "public.good.tags"),
        ("CREATE TYPE mood AS ENUM (E'sch\\366n')", "a label of an enumeration"),
        ("COMMENT ON TABLE good IS E'sch\\366n'", "a comment"),
        ('CREATE TABLE "sch\udcf6n" (id int)', "a table's name"),
    ],
)
def test_bytes_that_are_no_utf_8_are_found(
    own_server: Server, statement: str, where: str | None
) -> None:
    create(
        own_server,
        "bytes",
        "CREATE TABLE good (id int, note text, tags text[], raw bytea);\n"
        "INSERT INTO good (raw) VALUES ('\\xff');\n",
        options=ASCII,
    )
    with own_server.connect("bytes") as connection:
        connection.execute(
            statement.replace("E'sch\\366n'", "'schön'").encode("latin-1", "surrogateescape")
            if where == "a label of an enumeration"
            else statement.encode("utf-8", "surrogateescape")
        )

    assert survey_of(own_server, "bytes").invalid_bytes == where


def test_a_target_says_what_it_offers(ticks: Server) -> None:
    source = survey_of(ticks, "ticks")
    with connect(endpoint(ticks, "postgres"), "target", autocommit=True) as connection:
        facts = target.read(
            connection, source, database="ticks", previous="ticks__previous", owner="me", free=7
        )

    assert source.timescaledb is not None
    assert facts.extensions["timescaledb"][0] == source.timescaledb.version
    assert facts.edition == source.timescaledb.edition
    assert facts.preloaded is not None
    assert "timescaledb" in facts.preloaded
    assert {READER, OWNER, "postgres"} <= set(facts.roles)
    assert (facts.database, facts.previous_size, facts.free) == ("ticks", None, 7)
    assert facts.size == source.size
    assert facts.lock_capacity == source.lock_capacity


def test_a_prediction_is_near_what_a_dump_takes(own_server: Server) -> None:
    script = """
CREATE TABLE prose (id int PRIMARY KEY, note text);
INSERT INTO prose SELECT i, 'order ' || i || ' of ' || md5(i::text)
  FROM generate_series(1, 200000) i;
CREATE TABLE wide (id int, body text);
INSERT INTO wide SELECT i, string_agg(md5(i::text || j), ' ') FROM generate_series(1, 400) i,
  generate_series(1, 300) j GROUP BY i;
ANALYZE;
"""
    create(own_server, "sampled", script)
    with connect(endpoint(own_server, "sampled"), "source") as connection:
        connection.read_only = True
        found = survey.take(connection)
        predicted = prediction.sample_source(connection, found, jobs=2)
    dump = "pg_dump -U postgres -Fd --compress=zstd:3 -f /tmp/sampled sampled"
    code, output = own_server.container.exec_run(
        ["sh", "-c", f"{dump} && cat /tmp/sampled/* | wc -c"]
    )
    assert code == 0, output
    assert isinstance(output, bytes)
    own_server.execute("REINDEX DATABASE sampled", "sampled")
    (size,) = own_server.execute("SELECT pg_database_size('sampled')")[0]

    assert predicted.archive_bytes == pytest.approx(int(output), rel=0.3)
    assert predicted.rows == pytest.approx(200_400, rel=0.1)
    assert predicted.target_bytes == pytest.approx(size, rel=0.1)
    assert predicted.seconds > 0


def test_a_target_is_left_as_it_was(own_server: Server) -> None:
    with connect(endpoint(own_server, "postgres"), "target", autocommit=True) as connection:
        assert prediction.sample_target(connection) > 0
        left = connection.execute(
            "SELECT 1 FROM pg_catalog.pg_class WHERE relname = 'slipway_probe'"
        ).fetchall()

    assert left == []


def test_a_hypertable_is_sampled_in_its_chunks(ticks: Server) -> None:
    with connect(endpoint(ticks, "ticks"), "source") as connection:
        predicted = prediction.sample_source(connection, survey.take(connection), jobs=2)

    assert predicted.rows == pytest.approx(2882, rel=0.05)


def test_tables_that_may_not_be_read_are_left_to_the_plan(hazards: Server) -> None:
    with connect(endpoint(hazards, "hazards", READER), "source") as connection:
        predicted = prediction.sample_source(connection, survey.take(connection), jobs=2)
        alive = connection.execute("SELECT 1").fetchone()

    assert predicted.rows > 0
    assert alive == (1,)


def test_a_prediction_in_no_time_is_a_guess(ticks: Server) -> None:
    with connect(endpoint(ticks, "ticks"), "source") as connection:
        found = survey.take(connection)
        guessed = prediction.sample_source(connection, found, jobs=2, seconds_limit=0)

    assert guessed.rows > 0
    assert guessed.archive_bytes > 10_000
    assert guessed.target_bytes == found.rebuilt_size


def test_a_restore_takes_as_long_as_its_verification_at_least(ticks: Server) -> None:
    source = survey_of(ticks, "ticks")
    with connect(endpoint(ticks, "postgres"), "target", autocommit=True) as connection:
        predicted = prediction.for_target(connection, source, verification_seconds=40)

    assert predicted.seconds > 40
    assert predicted.target_bytes == source.rebuilt_size
