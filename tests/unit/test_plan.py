"""Every decision of the plan, each with the fact that brings it about."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import RefusedError
from infra.postgres.inventory import Extension
from infra.postgres.survey import ColumnCollation, Survey
from infra.transfer.findings import listed
from infra.transfer.plan import Finding, Plan, TargetFacts, for_export, for_restore
from tests.unit.facts import GB, PREDICTION, SOURCE, TARGET, changed

LONELY = "function public.f(integer)"


def export(source: Survey, *, client_major: int = 17, archive_free: int = GB) -> Plan:
    return for_export(
        source, client_major=client_major, archive_free=archive_free, prediction=PREDICTION
    )


def restore(source: Survey, target: TargetFacts = TARGET, *, client_major: int = 17) -> Plan:
    return for_restore(source, target, client_major=client_major, prediction=PREDICTION)


def decided(plan: Plan, subject: str) -> Finding:
    (found,) = [found for found in plan.findings if found.subject == subject]
    return found


def surprising(plan: Plan) -> set[str]:
    return {found.subject for found in plan.findings if found.decision != "carried"}


def test_a_plain_source_is_carried_as_it_is() -> None:
    assert surprising(export(SOURCE)) == set()
    assert surprising(restore(SOURCE)) == set()
    assert {found.subject for found in restore(SOURCE).findings} == {
        "tables",
        "hypertables",
        "extension timescaledb",
        "extension vector",
    }


# Each row: what the source has, what its TimescaleDB has, the one subject that comes of it, the
# decision, a part of the text, a part of the hint.
OF_THE_SOURCE: list[tuple[dict[str, Any], dict[str, Any], str, str, str, str]] = [
    ({"server_version": 100023}, {}, "version", "refused", "the source is 10", "11 or newer"),
    (
        {"unreadable_tables": ("public.secret",)},
        {},
        "unreadable tables",
        "refused",
        "role 'reader' may not read tables public.secret",
        "SOURCE_DB_USER",
    ),
    (
        {"unreadable_sequences": ("public.s",)},
        {},
        "unreadable sequences",
        "refused",
        "may not read sequences public.s",
        "Grant SELECT",
    ),
    (
        {"large_objects": 3, "unreadable_large_objects": 2},
        {},
        "unreadable large objects",
        "refused",
        "may not read 2 of 3 large objects",
        "SOURCE_DB_USER",
    ),
    (
        {"hidden_rows": ("public.guarded",)},
        {},
        "row-level security",
        "refused",
        "hides rows from role 'reader' in public.guarded",
        "BYPASSRLS",
    ),
    (
        {"invalid_bytes": "public.t.note", "encoding": "SQL_ASCII"},
        {},
        "encoding",
        "refused",
        "no UTF-8 stand in public.t.note",
        "convert_from",
    ),
    ({"encoding": "LATIN1"}, {}, "encoding", "adapted", "LATIN1 will be stored as UTF8", ""),
    ({"encoding": "SQL_ASCII"}, {}, "encoding", "adapted", "SQL_ASCII", ""),
    (
        {"required_foreign_tables": ("public.far",), "foreign_tables": ("public.far",)},
        {},
        "foreign tables in use",
        "refused",
        "made of public.far",
        "copy their rows",
    ),
    ({"restoring": True}, {}, "restoring mode", "refused", "'trading'", "timescaledb_post_restore"),
    (
        {},
        {"edition": "apache", "compressed": {"public.ticks": 12}},
        "compressed chunks",
        "refused",
        "passes over the compressed chunks of public.ticks (12)",
        "Community edition",
    ),
    (
        {"extensions": (Extension("timescaledb", "2.26.4", "public"),)},
        {"edition": "apache", "version": "2.26.4", "compressed": {"public.ticks": 12}},
        "compressed chunks",
        "refused",
        "fails on",
        "Community edition",
    ),
    (
        {},
        {"elsewhere": ("public.spread",)},
        "chunks elsewhere",
        "refused",
        "rows of hypertables public.spread lie on other servers",
        "Bring them back",
    ),
    (
        {},
        {"null_batches": tuple(f"i.chunk_{number}" for number in range(7))},
        "compressed columns of NULL",
        "refused",
        "i.chunk_4 and 2 more",
        "`SELECT public.decompress_chunk('i.chunk_2');` and so on",
    ),
    ({"event_triggers": ("e",)}, {}, "event triggers", "not carried", ": e", ""),
    ({"subscriptions": ("s",)}, {}, "subscriptions", "not carried", ": s", ""),
    (
        {"publications_for_all_tables": ("p",), "publications_for_schemas": ("q",)},
        {},
        "publications",
        "not carried",
        ": p, q",
        "",
    ),
    (
        {"foreign_data_wrappers": ("w",)},
        {},
        "foreign data wrappers",
        "not carried",
        ": w",
        "",
    ),
    ({"foreign_servers": ("far",)}, {}, "foreign servers", "not carried", ": far", ""),
    ({"foreign_tables": ("public.f",)}, {}, "foreign tables", "not carried", ": public.f", ""),
    ({"user_mappings": ("a at b",)}, {}, "user mappings", "not carried", ": a at b", ""),
    (
        {"security_labels": ("table t (selinux)",)},
        {},
        "security labels",
        "not carried",
        "selinux",
        "",
    ),
    ({"invalid_indexes": ("public.i",)}, {}, "invalid indexes", "not carried", ": public.i", ""),
    ({"prepared_transactions": ("g",)}, {}, "prepared transactions", "not carried", ": g", ""),
    (
        {},
        {"tablespaces": ("fast of public.ticks",)},
        "tablespaces of hypertables",
        "not carried",
        "fast of public.ticks",
        "",
    ),
    ({"owners": ("old_owner",)}, {}, "owners", "adapted", "old_owner will belong", ""),
    ({"tablespaces": ("fast",)}, {}, "tablespaces", "adapted", ": fast", ""),
    ({"materialized_views": ("public.m",)}, {}, "materialized views", "adapted", "filled anew", ""),
    (
        {},
        {"orphaned_column_stats": 2},
        "column statistics of chunks",
        "remedied",
        "2 rows of chunk_column_stats",
        "",
    ),
    ({"unlogged_tables": ("public.u",)}, {}, "unlogged tables", "note", ": public.u", ""),
    ({"large_objects": 3}, {}, "large objects", "note", "3 large objects", ""),
    ({}, {"root_rows": {"public.ticks": 4}}, "rows in roots", "note", "public.ticks (4)", ""),
]


@pytest.mark.parametrize("way", [export, restore])
@pytest.mark.parametrize(
    ("source", "hypertables", "subject", "decision", "text", "hint"), OF_THE_SOURCE
)
def test_what_the_source_decides(
    way: Any,  # noqa: ANN401 - two functions whose second arguments differ
    source: dict[str, Any],
    hypertables: dict[str, Any],
    subject: str,
    decision: str,
    text: str,
    hint: str,
) -> None:
    target = replace(TARGET, extensions={**TARGET.extensions, "timescaledb": ("2.19.3", "2.26.4")})
    survey = changed(source, hypertables)
    plan = export(survey) if way is export else restore(survey, target)

    found = decided(plan, subject) if decision != "refused" else plan.refusals[0]
    assert (found.subject, found.decision) == (subject, decision)
    assert text in found.text
    assert hint in found.hint
    assert surprising(plan) - {"large objects"} == {subject} - {"large objects"}


OF_BOTH: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], str, str, str, str]] = [
    (
        {"extensions": (Extension("postgis", "3.5.0", "public"),), "timescaledb": None},
        {},
        {},
        "extension postgis",
        "refused",
        "extension postgis 3.5.0 is not in the target's image (it has none)",
        "DB_IMAGE",
    ),
    (
        {},
        {},
        {"extensions": {"timescaledb": ("2.31.0", "2.30.1"), "vector": ("0.8.0",)}},
        "extension timescaledb",
        "refused",
        "extension timescaledb 2.19.3 is not in the target's image (it has 2.31.0, 2.30.1)",
        "update the source to a version listed",
    ),
    (
        {},
        {},
        {"extensions": {"timescaledb": ("2.19.3",), "vector": ("0.7.0", "0.8.0")}},
        "extension vector",
        "adapted",
        "vector 0.8.0 becomes 0.7.0",
        "",
    ),
    (
        {},
        {},
        {"preloaded": ("pg_stat_statements",)},
        "preloaded libraries",
        "refused",
        "timescaledb is not among",
        "shared_preload_libraries",
    ),
    (
        {"server_version": 140018},
        {"old_continuous_aggregates": ("public.hourly",)},
        {},
        "old continuous aggregates",
        "refused",
        "public.hourly have a format that PostgreSQL 17 does not read from 14",
        "cagg_migrate",
    ),
    (
        {},
        {"compressed": {"public.ticks": 5}},
        {"edition": "apache"},
        "compressed chunks",
        "refused",
        "knows no compressed chunks: public.ticks (5)",
        "Community edition",
    ),
    (
        {},
        {"continuous_aggregates": ("public.hourly",)},
        {"edition": "apache"},
        "continuous aggregates",
        "refused",
        ": public.hourly",
        "DB_IMAGE",
    ),
    (
        {"policy_roles": ("trader", "postgres")},
        {},
        {},
        "roles of policies",
        "refused",
        "name roles that the target lacks: trader",
        "CREATE ROLE",
    ),
    (
        {"grantees": ("trader", "postgres")},
        {},
        {},
        "grants",
        "not carried",
        "roles that the target lacks: trader",
        "",
    ),
    (
        {"default_privilege_roles": ("trader",)},
        {},
        {},
        "default privileges",
        "not carried",
        ": trader",
        "",
    ),
    (
        {},
        {"job_owners": ("operator", "postgres")},
        {},
        "owners of jobs",
        "remedied",
        "roles operator are made for the load, and their jobs go to app_owner",
        "",
    ),
    (
        {"column_collations": (ColumnCollation("public.t.name", "de_DE.utf8", "libc", None),)},
        {},
        {},
        "collations",
        "refused",
        "lacks the collations of public.t.name (de_DE.utf8)",
        "ICU collation",
    ),
    (
        {"collation": "de_DE.UTF-8"},
        {},
        {},
        "sort order",
        "adapted",
        "sorts by C.UTF-8 instead of de_DE.UTF-8",
        "",
    ),
    (
        {"superuser_objects": (LONELY,)},
        {},
        {},
        "objects of superusers",
        "refused",
        "function public.f(integer)",
        "extension that the target has",
    ),
    ({"server_version": 180001}, {}, {}, "version", "note", "older than the source's 18", ""),
    (
        {"relations": 8000, "locks_per_transaction": 128},
        {},
        {},
        "lock table",
        "refused",
        "target's lock table is made for 6400 locks, and 8000 relations are locked at once",
        "max_locks_per_transaction = 88",
    ),
    (
        {},
        {},
        {"free": GB},
        "space on the target",
        "refused",
        "needs about 1.1 GB and 1.0 GB are free",
        "Make 100.0 MB free",
    ),
    ({}, {}, {"size": GB}, "live database", "note", "app (1.0 GB) is kept as app__previous", ""),
]


@pytest.mark.parametrize(
    ("source", "hypertables", "target", "subject", "decision", "text", "hint"), OF_BOTH
)
def test_what_source_and_target_decide(
    source: dict[str, Any],
    hypertables: dict[str, Any],
    target: dict[str, Any],
    subject: str,
    decision: str,
    text: str,
    hint: str,
) -> None:
    plan = restore(changed(source, hypertables), replace(TARGET, **target), client_major=18)

    found = decided(plan, subject)
    assert found.decision == decision
    assert text in found.text
    assert hint in found.hint
    assert surprising(plan) == {subject}


def test_jobs_are_carried_without_their_history() -> None:
    plan = restore(changed({}, {"jobs": ("1000 policy_retention on public.ticks",)}))

    assert decided(plan, "jobs").decision == "carried"
    assert decided(plan, "job statistics").decision == "not carried"


def test_an_apache_target_takes_no_jobs() -> None:
    survey = changed({}, {"jobs": ("1000 policy_retention on public.ticks",)})
    plan = restore(survey, replace(TARGET, edition="apache"))

    (found,) = plan.refusals
    assert found.text.endswith("knows no jobs: 1000 policy_retention on public.ticks")


def test_the_community_edition_carries_what_it_has() -> None:
    survey = changed(
        {}, {"compressed": {"public.ticks": 5}, "continuous_aggregates": ("public.hourly",)}
    )

    assert decided(restore(survey), "compressed chunks").decision == "carried"
    assert decided(restore(survey), "continuous aggregates").decision == "carried"


@pytest.mark.parametrize("way", [export, restore])
def test_a_client_older_than_the_source_is_refused(way: Any) -> None:  # noqa: ANN401 - as above
    (found,) = way(SOURCE, client_major=16).refusals

    assert found.text == "pg_dump 16 cannot dump a server of version 17"
    assert "TOOLS_IMAGE" in found.hint


def test_the_sources_lock_table_is_looked_at_too() -> None:
    (found,) = export(changed({"relations": 6401}, {})).refusals

    assert "the source's lock table" in found.text
    assert export(changed({"relations": 6400}, {})).refusals == ()


def test_an_archive_that_does_not_fit_is_refused() -> None:
    (found,) = export(SOURCE, archive_free=109_999_999).refusals

    assert found.subject == "space for the archive"
    assert export(SOURCE, archive_free=110_000_001).refusals == ()


def test_an_archive_of_superuser_objects_is_made_and_says_so() -> None:
    survey = changed({"superuser_objects": (LONELY,)}, {})

    assert decided(export(survey), "objects of superusers").decision == "note"


def test_dropping_the_kept_copy_is_proposed_where_there_is_one() -> None:
    short = replace(TARGET, free=GB, previous_size=2 * GB)

    assert "--discard-previous" in restore(SOURCE, short).refusals[0].hint
    assert "frees 2.0 GB" in restore(SOURCE, short).refusals[0].hint
    assert "--discard-previous" not in restore(SOURCE, replace(TARGET, free=GB)).refusals[0].hint


def test_space_that_nobody_knows_refuses_nothing() -> None:
    assert restore(SOURCE, replace(TARGET, free=None)).refusals == ()


def test_old_continuous_aggregates_stay_within_a_major_version() -> None:
    survey = changed({}, {"old_continuous_aggregates": ("public.hourly",)})

    assert restore(survey).refusals == ()


@pytest.mark.parametrize(
    ("column", "known", "refused"),
    [
        (ColumnCollation("t.a", "de_DE.utf8", "libc", None), ("de_DE.utf8",), False),
        (ColumnCollation("t.a", "public.german", "icu", "de"), (), False),
        (ColumnCollation("t.a", "public.german", "libc", "de_DE"), (), True),
        (ColumnCollation("t.a", "public.german", "libc", "de_DE"), ("de_DE",), False),
    ],
)
def test_a_collation_of_ones_own_needs_its_locale(
    column: ColumnCollation, known: tuple[str, ...], refused: bool
) -> None:
    plan = restore(changed({"column_collations": (column,)}, {}), replace(TARGET, collations=known))

    assert bool(plan.refusals) is refused


def test_two_spellings_of_a_locale_sort_alike() -> None:
    assert surprising(restore(changed({"collation": "C.utf8"}, {}))) == set()


def test_refusals_come_first_and_are_named_together() -> None:
    survey = changed(
        {"unreadable_tables": ("public.a",), "hidden_rows": ("public.b",), "owners": ("x",)}, {}
    )
    plan = export(survey)

    assert [found.decision for found in plan.findings][:3] == ["refused", "refused", "adapted"]
    with pytest.raises(RefusedError) as refused:
        plan.require()
    assert str(refused.value) == "; ".join(found.text for found in plan.refusals)
    assert refused.value.hint == " ".join(found.hint for found in plan.refusals)


def test_a_hint_is_given_once() -> None:
    survey = changed({"unreadable_tables": ("a",), "unreadable_sequences": ("b",)}, {})

    with pytest.raises(RefusedError) as refused:
        export(survey).require()
    assert refused.value.hint.count("Grant SELECT") == 1


def test_a_plan_without_refusals_may_begin() -> None:
    export(SOURCE).require()


def test_every_refusal_reads_like_an_error() -> None:
    surveys = [changed(source, more) for source, more, *_ in OF_THE_SOURCE]
    surveys += [changed(source, more) for source, more, *_ in OF_BOTH]
    bare = replace(
        TARGET,
        extensions={"timescaledb": ("1.0",)},
        preloaded=(),
        edition="apache",
        free=0,
        lock_slots=1,
    )
    refusals = {found for survey in surveys for found in (*restore(survey, bare).refusals,)} | {
        found for survey in surveys for found in export(survey, client_major=9).refusals
    }

    for found in refusals:
        assert found.text[0].islower(), found.text
        assert not found.text.endswith("."), found.text
        assert found.hint[0].isupper(), found.hint
        assert found.hint.endswith("."), found.hint


def test_all_names_are_in_the_json_and_a_few_in_the_text() -> None:
    names = tuple(f"public.t{number}" for number in range(9))
    plan = export(changed({"unlogged_tables": names}, {}))

    assert decided(plan, "unlogged tables").text.endswith("public.t4 and 4 more")
    value = json.loads(json.dumps(plan.as_json()))
    (found,) = [found for found in value["findings"] if found["subject"] == "unlogged tables"]
    assert tuple(found["names"]) == names
    assert value["prediction"] == PREDICTION.as_json()


@given(st.lists(st.text(min_size=1), max_size=9))
def test_a_list_of_names_counts_what_it_leaves_out(names: list[str]) -> None:
    text = listed(names)

    assert text.startswith(", ".join(names[:5]))
    assert text.endswith(f" and {len(names) - 5} more") is (len(names) > 5)
