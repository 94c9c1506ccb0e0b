from __future__ import annotations

import io
import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

from infra import migrations
from infra.errors import MigrationError
from migrations import catalog, session
from migrations.operations import OFFLINE_TIMESCALEDB, CreateTimeSeriesTable
from migrations.upgrade import single_head, unknown


def rendered(extension_schema: str | None, *, start: date, months: int) -> str:
    output = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql",
        opts={
            "as_sql": True,
            "output_buffer": output,
            "literal_binds": True,
            OFFLINE_TIMESCALEDB: extension_schema,
        },
    )
    CreateTimeSeriesTable.create_time_series_table(
        Operations(context),
        "Odd name",
        sa.Column("at", sa.DateTime(timezone=True), primary_key=True),
        time_column="at",
        chunk_interval=timedelta(hours=12),
        partition_start=start,
        partition_months=months,
    )
    return output.getvalue()


def test_without_timescaledb_a_time_series_has_monthly_partitions_and_a_default_one() -> None:
    statements = rendered(None, start=date(2026, 12, 1), months=2).split(";")

    assert "PARTITION BY RANGE (at)" in statements[0]
    assert [statement.strip().partition(" PARTITION OF ") for statement in statements[1:-1]] == [
        (f'CREATE TABLE "Odd name_{suffix}"', " PARTITION OF ", f'"Odd name" {bounds}')
        for suffix, bounds in (
            ("2026_12", "FOR VALUES FROM ('2026-12-01 00:00:00+00') TO ('2027-01-01 00:00:00+00')"),
            ("2027_01", "FOR VALUES FROM ('2027-01-01 00:00:00+00') TO ('2027-02-01 00:00:00+00')"),
            ("default", "DEFAULT"),
        )
    ]


def test_with_timescaledb_a_time_series_is_a_hypertable_by_the_extensions_own_function() -> None:
    text = rendered("extensions", start=date(2026, 12, 1), months=2)

    assert "PARTITION" not in text
    assert (
        "SELECT extensions.create_hypertable(CAST('\"Odd name\"' AS REGCLASS), 'at',"
        " chunk_time_interval => make_interval(secs=>43200.0), create_default_indexes => false)"
    ) in text


def test_the_whole_history_renders_for_a_database_without_timescaledb() -> None:
    text = migrations.offline_sql()

    assert text.count("PARTITION OF ticks FOR VALUES") == 24
    assert "create_hypertable" not in text
    assert "INSERT INTO alembic_version" in text


def test_the_whole_history_renders_for_a_database_with_timescaledb() -> None:
    text = migrations.offline_sql(timescaledb=True)

    assert "public.create_hypertable(CAST('ticks' AS REGCLASS), 'ts'" in text
    assert "PARTITION" not in text


def test_the_way_back_renders_too() -> None:
    assert "CREATE TABLE ticks" in migrations.offline_sql("base:0001")


def test_a_span_that_does_not_exist_is_named() -> None:
    with pytest.raises(MigrationError, match="nowhere"):
        migrations.offline_sql("nowhere")


def test_the_migrations_have_one_head() -> None:
    assert single_head(session.scripts()) == session.scripts().get_current_head()


def test_two_heads_are_both_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = shutil.copytree(session.DIRECTORY, tmp_path / "migrations")
    for name in ("aaaa", "bbbb"):
        (copy / "versions" / f"{name}.py").write_text(
            f"revision = {name!r}\ndown_revision = '0001'\n"
        )
    monkeypatch.setattr(session, "DIRECTORY", copy)

    with pytest.raises(MigrationError, match="2 newest revisions: aaaa, bbbb"):
        single_head(session.scripts())


def test_a_revision_that_no_script_stands_for_is_found() -> None:
    assert unknown(("0001", "dead"), session.scripts()) == ["dead"]


def test_what_a_database_holds_is_put_in_words() -> None:
    rows = [("public", "table", 9), ("public", "view", 1), ("sales", "table", 2)]

    assert catalog.summary(rows, "local") == "11 tables, 1 view"
    assert catalog.summary([], "local") == ""


def test_what_the_host_put_there_is_not_somebodys_own() -> None:
    rows = [("auth", "table", 16), ("storage", "table", 5)]

    assert catalog.summary(rows, "supabase") == ""
    assert catalog.summary(rows, "local") == "21 tables"
