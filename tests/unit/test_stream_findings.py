"""Every decision of a stream's plan, each with the fact that brings it about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from infra.postgres.inventory import Extension
from infra.postgres.survey import ColumnCollation, Survey
from infra.transfer.plan import Finding, Plan, Tables, TargetFacts, for_stream
from tests.unit.facts import GB, PREDICTION, SOURCE, TARGET, changed

# What there is to say of a source whose hypertables stay hypertables.
TABLES = Tables(
    timescaledb=True,
    to_hypertables=(),
    to_partitions=(),
    width="chunk",
    impossible={},
    unvalidated=(),
    aggregates={},
    uncompressed=0,
    forced=(),
)
WITHOUT = replace(TABLES, timescaledb=False, to_partitions=("public.ticks",))
BARE = replace(TARGET, extensions={"vector": ("0.8.0",)}, edition=None, preloaded=())


def stream(
    source: Survey = SOURCE,
    target: TargetFacts = TARGET,
    tables: Tables = TABLES,
    *,
    restarts: bool = False,
    fewer_jobs: int | None = None,
    client_major: int = 17,
) -> Plan:
    return for_stream(
        source,
        target,
        tables,
        shared=None,
        restarts=restarts,
        fewer_jobs=fewer_jobs,
        client_major=client_major,
        prediction=PREDICTION,
    )


def decided(plan: Plan, subject: str) -> Finding:
    (found,) = [found for found in plan.findings if found.subject == subject]
    return found


def surprising(plan: Plan) -> set[str]:
    return {found.subject for found in plan.findings if found.decision != "carried"}


def test_a_plain_source_is_streamed_as_it_is() -> None:
    assert {(found.subject, found.decision) for found in stream().findings} == {
        ("tables", "carried"),
        ("extension timescaledb", "carried"),
        ("extension vector", "carried"),
    }


# Each row: what the source has, what its TimescaleDB has, what becomes of its tables, the one
# subject that comes of it, the decision, a part of the text, a part of the hint.
OF_THE_TABLES: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], str, str, str, str]] = [
    (
        {},
        {},
        {"to_hypertables": ("public.log",)},
        "partitioned tables",
        "adapted",
        "become hypertables: public.log",
        "",
    ),
    (
        {},
        {},
        {"impossible": {"public.log": "column 'at' may be NULL"}},
        "tables made anew",
        "refused",
        "public.log cannot be made anew: column 'at' may be NULL",
        "--partition-by",
    ),
    (
        {},
        {},
        {"unvalidated": ("fk on public.ticks",)},
        "foreign keys not validated",
        "refused",
        "foreign keys that are not valid: fk on public.ticks",
        "VALIDATE CONSTRAINT",
    ),
    (
        {},
        {"continuous_aggregates": ("public.hourly",)},
        {"aggregates": {"public.hourly": "BEGIN; COMMIT"}},
        "continuous aggregates",
        "adapted",
        "of public.hourly go into a table, public.hourly_materialized, that a view of the old name",
        "",
    ),
    (
        {},
        {"old_continuous_aggregates": ("public.daily",)},
        {},
        "old continuous aggregates",
        "refused",
        "continuous aggregates public.daily keep no rows",
        "`CALL public.cagg_migrate(…)`",
    ),
    (
        {},
        {"compressed": {"public.ticks": 12}},
        {"uncompressed": 5 * GB},
        "compressed chunks",
        "adapted",
        "uncompressed, 5.0 GB of them: public.ticks (12)",
        "",
    ),
    (
        {},
        {"jobs": ("1000 policy_retention on public.ticks",)},
        {},
        "policies",
        "not carried",
        "to be added again: 1000 policy_retention on public.ticks",
        "",
    ),
    (
        {},
        {"root_rows": {"public.ticks": 3}},
        {},
        "rows in roots",
        "not carried",
        "no query sees them: public.ticks (3)",
        "",
    ),
    (
        {},
        {},
        {"forced": ("public.guarded",)},
        "row security",
        "refused",
        "would hide rows of these tables from app_owner, who could prove nothing: public.guarded",
        "Give app_owner BYPASSRLS",
    ),
    (
        {"large_objects": 3},
        {},
        {},
        "large objects",
        "refused",
        "the stream carries no large objects, and there are 3",
        "`invoke export-local`",
    ),
    (
        {"superuser_objects": ("function public.f(integer)",)},
        {},
        {},
        "objects of superusers",
        "refused",
        "public.f(integer)",
        "Drop them",
    ),
    (
        {"extensions": (Extension("timescaledb", "2.19.3", "public"), Extension("x", "1", "x"))},
        {},
        {},
        "extension x",
        "refused",
        "extension x 1 is not on the target's server",
        "Install it there",
    ),
    (
        {"policy_roles": ("auditor",)},
        {},
        {},
        "roles of policies",
        "refused",
        "auditor",
        "`CREATE ROLE`",
    ),
    ({"grantees": ("auditor", "postgres")}, {}, {}, "grants", "not carried", "lacks: auditor", ""),
    ({"collation": "de_DE.utf8"}, {}, {}, "sort order", "adapted", "instead of de_DE.utf8", ""),
    (
        {"column_collations": (ColumnCollation("t.a", "de_DE.utf8", "libc", None),)},
        {},
        {},
        "collations",
        "refused",
        "t.a (de_DE.utf8)",
        "ICU",
    ),
]


@pytest.mark.parametrize(
    ("source", "hypertables", "tables", "subject", "decision", "text", "hint"),
    OF_THE_TABLES,
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_tables_decide(
    source: dict[str, Any],
    hypertables: dict[str, Any],
    tables: dict[str, Any],
    subject: str,
    decision: str,
    text: str,
    hint: str,
) -> None:
    plan = stream(changed(source, hypertables), tables=replace(TABLES, **tables))

    found = decided(plan, subject)
    assert found.decision == decision
    assert text in found.text
    assert hint in found.hint
    assert surprising(plan) == {subject}


def test_an_aggregate_says_how_it_is_refreshed_from_now_on() -> None:
    aggregates = {"public.hourly": "BEGIN; COMMIT", "public.daily": "BEGIN; TRUNCATE t; COMMIT"}
    plan = stream(tables=replace(TABLES, aggregates=aggregates))

    hourly, daily = [found for found in plan.findings if found.subject == "continuous aggregates"]
    assert hourly.text.endswith("nothing refreshes it but `BEGIN; COMMIT`")
    assert daily.text.endswith("nothing refreshes it but `BEGIN; TRUNCATE t; COMMIT`")


def test_without_timescaledb_hypertables_become_partitions() -> None:
    plan = stream(target=BARE, tables=replace(WITHOUT, width="week"))

    found = decided(plan, "hypertables")
    assert surprising(plan) == {"hypertables"}
    assert (found.decision, found.names) == ("adapted", ("public.ticks",))
    assert "one partition for each week" in found.text
    assert "`SELECT slipway_partitions.extend()`" in found.text
    assert found.text.endswith(": public.ticks")


def test_timescaledb_that_no_table_uses_stays_behind() -> None:
    plan = stream(target=BARE, tables=replace(WITHOUT, to_partitions=()))

    assert surprising(plan) == {"extension timescaledb"}
    assert decided(plan, "extension timescaledb").decision == "not carried"


def test_a_source_without_timescaledb_needs_none() -> None:
    plain = changed({"timescaledb": None, "extensions": (Extension("vector", "0.8.0", "x"),)}, {})

    assert surprising(stream(plain, BARE, replace(WITHOUT, to_partitions=()))) == set()


@pytest.mark.parametrize("version", ["2.17.0", "2.26.4"])
def test_timescaledb_comes_in_the_targets_version(version: str) -> None:
    offered = {**TARGET.extensions, "timescaledb": (version, "2.19.3")}
    plan = stream(target=replace(TARGET, extensions=offered))

    assert surprising(plan) == {"extension timescaledb"}
    found = decided(plan, "extension timescaledb")
    assert (found.decision, found.text) == (
        "adapted",
        f"extension timescaledb 2.19.3 becomes {version}",
    )


def test_an_apache_target_takes_what_a_restore_would_refuse() -> None:
    source = changed({}, {"compressed": {"public.ticks": 5}, "jobs": ("1000 f",)})

    assert stream(source, replace(TARGET, edition="apache")).refusals == ()


def test_timescaledb_has_to_be_loaded_by_the_server() -> None:
    unloaded = replace(TARGET, preloaded=("auto_explain",))

    (found,) = stream(target=unloaded).refusals
    assert found.subject == "preloaded libraries"
    assert "shared_preload_libraries" in found.hint
    # Nobody but a superuser may ask.
    assert stream(target=replace(TARGET, preloaded=None)).refusals == ()
    assert stream(target=unloaded, tables=WITHOUT).refusals == ()


def test_an_older_target_is_said_to_be_one() -> None:
    plan = stream(target=replace(TARGET, server_version=150013))

    assert surprising(plan) == {"version"}
    found = decided(plan, "version")
    assert found.decision == "note"
    assert "PostgreSQL 15, older than the source's 17" in found.text


@pytest.mark.parametrize(
    "hypertables",
    [
        {"null_batches": ("i.chunk_2",)},
        {"orphaned_column_stats": 3},
    ],
)
def test_what_only_troubles_a_dump_of_timescaledbs_tables_is_passed_over(
    hypertables: dict[str, Any],
) -> None:
    assert surprising(stream(changed({}, hypertables))) == set()


@pytest.mark.parametrize(
    ("source", "hypertables", "subject"),
    [
        ({"unreadable_tables": ("public.secret",)}, {}, "unreadable tables"),
        ({"hidden_rows": ("public.guarded",)}, {}, "row-level security"),
        ({"restoring": True}, {}, "restoring mode"),
        ({}, {"elsewhere": ("public.spread",)}, "chunks elsewhere"),
    ],
)
def test_what_no_way_can_carry_is_refused(
    source: dict[str, Any], hypertables: dict[str, Any], subject: str
) -> None:
    assert [found.subject for found in stream(changed(source, hypertables)).refusals] == [subject]


def test_both_lock_tables_have_to_hold_the_relations() -> None:
    many = changed({"relations": 6401, "lock_slots": 200}, {})

    (there,) = stream(many).refusals
    (here,) = stream(changed({"relations": 6401}, {}), replace(TARGET, lock_slots=200)).refusals
    assert there.text.startswith("the target's lock table")
    assert here.text.startswith("the source's lock table")
    assert stream(changed({"relations": 6400}, {})).refusals == ()


def test_the_rows_have_to_fit_beside_the_live_database() -> None:
    (found,) = stream(target=replace(TARGET, free=GB)).refusals

    assert found.subject == "space on the target"
    assert "100.0 MB free" in found.hint
    assert stream(target=replace(TARGET, free=None)).refusals == ()


def test_a_client_older_than_the_source_is_refused() -> None:
    (found,) = stream(client_major=16).refusals

    assert found.subject == "client tools"


def test_every_table_that_cannot_be_made_anew_is_named() -> None:
    reasons = {"public.a": "its partitions are partitioned again", "public.b": "column 'at'"}
    refusals = stream(tables=replace(TABLES, impossible=reasons)).refusals

    assert [found.names for found in refusals] == [("public.a",), ("public.b",)]


def test_every_refusal_reads_like_an_error() -> None:
    bare = replace(BARE, extensions={}, free=0, lock_slots=1)
    plans = [
        stream(changed(source, more), bare, replace(TABLES, **tables), client_major=9)
        for source, more, tables, *_ in OF_THE_TABLES
    ]

    for found in {found for plan in plans for found in plan.refusals}:
        assert found.text[0].islower(), found.text
        assert not found.text.endswith("."), found.text
        assert found.hint[0].isupper(), found.hint
        assert found.hint.endswith("."), found.hint


def test_a_restart_for_the_load_and_fewer_jobs_are_told() -> None:
    plan = stream(restarts=True, fewer_jobs=2)

    assert "is restarted before and after" in decided(plan, "load settings").text
    assert decided(plan, "connections").text.startswith("--jobs becomes 2:")
    assert {"load settings", "connections"}.isdisjoint(f.subject for f in stream().findings)


def test_owners_of_jobs_that_stay_behind_are_nobodys_concern() -> None:
    source = changed({}, {"jobs": ("1000 f",), "job_owners": ("somebody",)})

    assert surprising(stream(source)) == {"policies"}
