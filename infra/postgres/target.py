"""What a server that is restored into offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from infra.postgres import inventory, role
from infra.postgres.connection import Connection
from infra.postgres.survey import Survey, known_collations, offered_versions

# A build of the Apache edition has no such library.
_COMMUNITY_LIBRARY = """
SELECT (pg_catalog.pg_stat_file(setting || '/timescaledb-tsl-' || %s || '.so', true)).size > 0
FROM pg_catalog.pg_config WHERE name = 'PKGLIBDIR'
"""


@dataclass(frozen=True)
class TargetFacts:
    """What a plan must know of the server; sizes in bytes.

    `extensions` are the versions on offer, the default first; `collations` those that the
    source's columns need and the server has; `edition` is TimescaleDB's, None without it; `free`
    is the space in the data directory, None when nobody can tell. `size` and `previous_size` are
    those of the live database and of the copy that was kept of an earlier one, None without one.
    """

    server_version: int
    extensions: Mapping[str, tuple[str, ...]]
    collations: tuple[str, ...]
    roles: tuple[str, ...]
    owner: str
    collation: str
    edition: str | None
    preloaded: tuple[str, ...] | None
    locks_per_transaction: int
    lock_slots: int
    free: int | None
    database: str
    size: int | None
    previous: str
    previous_size: int | None

    @property
    def major(self) -> int:
        """Return the server's major version."""
        return self.server_version // 10000

    @property
    def lock_capacity(self) -> int:
        """Return how many locks the server's lock table is made for."""
        return self.locks_per_transaction * self.lock_slots


def read(
    connection: Connection,
    source: Survey,
    *,
    database: str,
    previous: str,
    owner: str,
    free: int | None,
) -> TargetFacts:
    """Read the facts over a connection to the maintenance database.

    What only a superuser may see is None for others: the libraries, and the edition before they
    have been loaded.
    """
    names = {"timescaledb", *(found.name for found in source.extensions)}
    extensions = offered_versions(connection, sorted(names))
    needed = [found.needs for found in source.column_collations if found.needs is not None]
    collation, preloaded, edition, locks, slots, size, previous_size = inventory.rows(
        connection, "survey/target", database, previous
    )[0]
    looks = preloaded and role.is_superuser(connection)
    if edition is None and looks and source.timescaledb and "timescaledb" in extensions:
        (community,) = inventory.query(connection, _COMMUNITY_LIBRARY, source.timescaledb.version)[
            0
        ]
        edition = "timescale" if community else "apache"
    roles = inventory.query(connection, "SELECT rolname FROM pg_catalog.pg_roles ORDER BY 1")
    return TargetFacts(
        server_version=connection.info.server_version,
        extensions=extensions,
        collations=known_collations(connection, needed),
        roles=tuple(str(role) for (role,) in roles),
        owner=owner,
        collation=collation,
        edition=edition,
        preloaded=None if preloaded is None else tuple(preloaded),
        locks_per_transaction=int(locks),
        lock_slots=int(slots),
        free=free,
        database=database,
        size=size,
        previous=previous,
        previous_size=previous_size,
    )
