"""A survey: read-only facts of a database, as the connected role sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from infra.postgres import encoding, inventory, shared_database, table_sizes
from infra.postgres.connection import Connection
from infra.postgres.hypertables import NOTHING, Hypertables
from infra.postgres.hypertables import read as read_hypertables
from infra.postgres.inventory import Extension
from infra.postgres.table_sizes import TableSize


@dataclass(frozen=True)
class Role:
    """The role that took the survey."""

    name: str
    superuser: bool
    bypasses_row_security: bool


@dataclass(frozen=True)
class ColumnCollation:
    """A column with a collation of its own; `locale` only where the database defines that."""

    column: str
    collation: str
    provider: str
    locale: str | None

    @property
    def needs(self) -> str | None:
        """Return what a server must have for it: nothing for an ICU collation of one's own."""
        if self.locale is None:
            return self.collation
        return None if self.provider == "icu" else self.locale


@dataclass(frozen=True)
class Survey:
    """What a plan must know of a database; names are written as in SQL, sizes are bytes.

    `hidden_rows` are tables whose row-level security applies to this role.
    `rebuilt_indexes` are the bytes of all indexes when they are built anew.
    `relations` is how many a dump or a receipt locks, `lock_slots` by what
    `max_locks_per_transaction` is multiplied. What belongs to a hosting
    platform (`platform_schemas`, `platform_extensions`, `platform_publications`) is no part of the
    survey; `platform_ties` need it and are left out (`platform_entries` in a table of contents),
    `platform_needs` cannot be made without it.
    """

    server_version: int
    database: str
    size: int
    encoding: str
    collation: str
    collation_provider: str
    role: Role
    extensions: tuple[Extension, ...]
    timescaledb: Hypertables | None
    restoring: bool
    column_collations: tuple[ColumnCollation, ...]
    tables: tuple[TableSize, ...]
    rebuilt_indexes: int
    relations: int
    locks_per_transaction: int
    lock_slots: int
    owners: tuple[str, ...]
    policy_roles: tuple[str, ...]
    grantees: tuple[str, ...]
    default_privilege_roles: tuple[str, ...]
    hidden_rows: tuple[str, ...]
    unreadable_tables: tuple[str, ...]
    unreadable_sequences: tuple[str, ...]
    invalid_indexes: tuple[str, ...]
    unlogged_tables: tuple[str, ...]
    large_objects: int
    unreadable_large_objects: int
    prepared_transactions: tuple[str, ...]
    materialized_views: tuple[str, ...]
    foreign_data_wrappers: tuple[str, ...]
    foreign_servers: tuple[str, ...]
    foreign_tables: tuple[str, ...]
    required_foreign_tables: tuple[str, ...]
    user_mappings: tuple[str, ...]
    publications: tuple[str, ...]
    publications_for_all_tables: tuple[str, ...]
    publications_for_schemas: tuple[str, ...]
    subscriptions: tuple[str, ...]
    event_triggers: tuple[str, ...]
    security_labels: tuple[str, ...]
    superuser_objects: tuple[str, ...]
    tablespaces: tuple[str, ...]
    invalid_bytes: str | None
    platform_schemas: tuple[str, ...] = ()
    platform_extensions: tuple[str, ...] = ()
    platform_publications: tuple[str, ...] = ()
    platform_ties: tuple[str, ...] = ()
    platform_entries: tuple[str, ...] = ()
    platform_needs: tuple[str, ...] = ()

    @property
    def major(self) -> int:
        """Return the server's major version."""
        return self.server_version // 10000

    def as_json(self) -> dict[str, Any]:
        """Return the survey as an archive's manifest holds it."""
        return asdict(self)

    @property
    def rebuilt_size(self) -> int:
        """Return the bytes the database takes once its indexes have been built anew."""
        indexes = sum(table.indexes for table in self.tables)
        return self.size - indexes + min(indexes, self.rebuilt_indexes)

    @property
    def lock_capacity(self) -> int:
        """Return how many locks the server's lock table is made for."""
        return self.locks_per_transaction * self.lock_slots

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Survey:
        """Read a survey from its JSON; KeyError or TypeError when it is none."""
        lists = {name: tuple(found) for name, found in value.items() if isinstance(found, list)}
        hypertables = value["timescaledb"]
        return cls(
            **dict(value)
            | lists
            | {
                "role": Role(**value["role"]),
                "extensions": tuple(Extension(**found) for found in value["extensions"]),
                "timescaledb": None if hypertables is None else Hypertables.from_json(hypertables),
                "column_collations": tuple(
                    ColumnCollation(**found) for found in value["column_collations"]
                ),
                "tables": tuple(TableSize(**found) for found in value["tables"]),
            }
        )


def take(connection: Connection) -> Survey:
    """Read the facts.

    Nothing is left behind: a savepoint undoes the settings when a transaction is open already.
    """
    with connection.transaction(force_rollback=True):
        for setting, setting_value in _SETTINGS.items():
            connection.execute(
                "SELECT pg_catalog.set_config(%s, %s, true)", [setting, setting_value]
            )
        return _take(connection)


# What rules a survey while it is taken. Names are written with their schema when none is on the
# path, and a function of the source's own that a policy calls cannot write.
_SETTINGS = {"search_path": "", "transaction_read_only": "on", "client_encoding": "UTF8"}

# The version that brought publications of whole schemas.
_SCHEMA_PUBLICATIONS = 150000

# These need no more than a name; each stands in a query file of its own.
_NAMES = (
    "owners",
    "grantees",
    "default_privilege_roles",
    "hidden_rows",
    "unreadable_sequences",
    "invalid_indexes",
    "unlogged_tables",
    "prepared_transactions",
    "materialized_views",
    "foreign_data_wrappers",
    "foreign_servers",
    "foreign_tables",
    "required_foreign_tables",
    "user_mappings",
    "publications",
    "publications_for_all_tables",
    "subscriptions",
    "event_triggers",
    "superuser_objects",
    "security_labels",
    "tablespaces",
)


def _take(connection: Connection) -> Survey:
    ascii_only = connection.info.parameter_status("server_encoding") == encoding.ANY_BYTES
    invalid = encoding.first_invalid_definition(connection) if ascii_only else None
    if invalid:
        # Every byte is some character of that one, so that the names can be read at all.
        connection.execute("SELECT pg_catalog.set_config('client_encoding', 'LATIN1', true)")
    extensions = tuple(Extension(*row) for row in inventory.with_platform(connection, "extensions"))
    hypertables, storage = None, NOTHING
    for extension in extensions:
        if extension.name == "timescaledb":
            hypertables, storage = read_hypertables(connection, extension)
    names = {name: _names(connection, name) for name in _NAMES}
    of_schemas: tuple[str, ...] = ()
    if connection.info.server_version >= _SCHEMA_PUBLICATIONS:
        of_schemas = _names(connection, "publications_for_schemas")
    names["publications"] = tuple(n for n in names["publications"] if n not in of_schemas)
    if ascii_only and not invalid:
        invalid = encoding.first_invalid_column(
            connection, list(storage.roots), names["hidden_rows"]
        )
    (
        database,
        size,
        encoding_name,
        collation,
        provider,
        locale,
        role,
        superuser,
        bypasses,
        locks,
        slots,
    ) = inventory.rows(connection, "survey/database")[0]
    ties = shared_database.ties(connection)
    large_objects, unreadable_large_objects = inventory.rows(connection, "survey/large_objects")[0]
    return Survey(
        server_version=connection.info.server_version,
        database=database,
        size=int(size),
        encoding=encoding_name,
        collation=locale or collation,
        collation_provider=provider,
        role=Role(role, bool(superuser), bool(bypasses)),
        extensions=extensions,
        timescaledb=hypertables,
        restoring=bool(inventory.rows(connection, "survey/restoring")),
        column_collations=tuple(
            ColumnCollation(*row) for row in inventory.rows(connection, "survey/column_collations")
        ),
        tables=table_sizes.measure(connection, storage),
        rebuilt_indexes=int(inventory.rows(connection, "survey/rebuilt_indexes")[0][0]),
        relations=int(inventory.rows(connection, "survey/relations")[0][0]),
        locks_per_transaction=int(locks),
        lock_slots=int(slots),
        unreadable_tables=_names(connection, "unreadable_tables", list(storage.roots)),
        policy_roles=tuple(
            str(role) for (role,) in inventory.with_platform(connection, "survey/policy_roles")
        ),
        platform_schemas=shared_database.schemas(connection),
        platform_extensions=shared_database.extensions(connection),
        platform_publications=shared_database.publications(connection),
        platform_ties=tuple(ties),
        platform_entries=tuple(ties.values()),
        platform_needs=shared_database.needs(connection),
        large_objects=int(large_objects),
        unreadable_large_objects=int(unreadable_large_objects),
        publications_for_schemas=of_schemas,
        invalid_bytes=invalid,
        **names,
    )


def offered_versions(
    connection: Connection, extensions: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Return the versions of each extension that the server can install, the default first."""
    versions: dict[str, tuple[str, ...]] = {}
    for name, version in inventory.rows(connection, "survey/offered", list(extensions)):
        versions[name] = (*versions.get(name, ()), version)
    return versions


def known_collations(connection: Connection, collations: Sequence[str]) -> tuple[str, ...]:
    """Return the collations and C library locales among those named that the server has."""
    return _names(connection, "known_collations", list(collations))


def _names(connection: Connection, query: str, *values: object) -> tuple[str, ...]:
    return tuple(str(name) for (name,) in inventory.rows(connection, f"survey/{query}", *values))
