"""A plain source and a plain target, as a plan sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from infra.postgres.hypertables import Hypertables
from infra.postgres.inventory import Extension
from infra.postgres.survey import Role, Survey
from infra.postgres.table_sizes import TableSize
from infra.postgres.target import TargetFacts
from infra.transfer.prediction import Prediction

GB = 1_000_000_000

HYPERTABLES = Hypertables(
    version="2.19.3",
    schema="public",
    edition="timescale",
    names=("public.ticks",),
    chunks=60,
    elsewhere=(),
    compressed={},
    compressed_rows=0,
    continuous_aggregates=(),
    old_continuous_aggregates=(),
    jobs=(),
    job_owners=(),
    tablespaces=(),
    null_batches=(),
    orphaned_column_stats=0,
    root_rows={},
)
SOURCE = Survey(
    server_version=170011,
    database="trading",
    size=GB,
    encoding="UTF8",
    collation="C.UTF-8",
    collation_provider="libc",
    role=Role("reader", superuser=False, bypasses_row_security=False),
    extensions=(Extension("timescaledb", "2.19.3", "public"), Extension("vector", "0.8.0", "x")),
    timescaledb=HYPERTABLES,
    restoring=False,
    column_collations=(),
    tables=(TableSize("public", "ticks", 1000, 700, 300),),
    rebuilt_indexes=200,
    relations=400,
    locks_per_transaction=64,
    lock_slots=100,
    owners=(),
    policy_roles=(),
    grantees=(),
    default_privilege_roles=(),
    hidden_rows=(),
    unreadable_tables=(),
    unreadable_sequences=(),
    invalid_indexes=(),
    unlogged_tables=(),
    large_objects=0,
    unreadable_large_objects=0,
    prepared_transactions=(),
    materialized_views=(),
    foreign_data_wrappers=(),
    foreign_servers=(),
    foreign_tables=(),
    required_foreign_tables=(),
    user_mappings=(),
    publications=(),
    publications_for_all_tables=(),
    publications_for_schemas=(),
    subscriptions=(),
    event_triggers=(),
    security_labels=(),
    superuser_objects=(),
    tablespaces=(),
    invalid_bytes=None,
)
TARGET = TargetFacts(
    server_version=170012,
    extensions={"timescaledb": ("2.19.3",), "vector": ("0.8.0", "0.7.0")},
    collations=(),
    roles=("postgres", "app_owner"),
    owner="app_owner",
    collation="C.UTF-8",
    edition="timescale",
    preloaded=("timescaledb",),
    locks_per_transaction=64,
    lock_slots=100,
    free=10 * GB,
    database="app",
    size=None,
    previous="app__previous",
    previous_size=None,
)
PREDICTION = Prediction(archive_bytes=100_000_000, target_bytes=GB, seconds=12.0, rows=1000)


def changed(source: Mapping[str, Any], hypertables: Mapping[str, Any]) -> Survey:
    """Return the source with these facts; `timescaledb=None` is one without it."""
    return replace(SOURCE, **{"timescaledb": replace(HYPERTABLES, **hypertables), **source})
