"""Landing: what the objects of an archive become at a target that has roles of its own.

There everything belongs to one owner, the application's role may work with all of it, and of the
source's roles only those exist that somebody made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from infra.postgres.connection import Connection
from infra.postgres.objects import DatabaseObject
from infra.transfer.compare import MISSING, Difference
from infra.transfer.receipt import Receipt

# Only a superuser may make most of these, and what a source brings along is not run as one. Default
# privileges are about what roles of the source will make, which the target's owner makes instead.
_NOT_CARRIED = frozenset(
    {
        "default privilege",
        "event trigger",
        "foreign data wrapper",
        "foreign server",
        "large object",
        "subscription",
        "user mapping",
    }
)

# What `migrations.grants` lets the application do, by the kind of object.
_WORK = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
APPLICATION = {
    "table": _WORK,
    "view": _WORK,
    "materialized view": _WORK,
    "sequence": frozenset({"USAGE", "SELECT"}),
    "schema": frozenset({"USAGE"}),
    "function": frozenset({"EXECUTE"}),
}
_VERSION_TABLE = "public.alembic_version"
_PUBLIC = "PUBLIC"


@dataclass(frozen=True)
class Landing:
    """The target's roles; `reserved` are the settings that only a superuser may change."""

    owner: str
    application: str
    roles: frozenset[str]
    reserved: frozenset[str]

    @classmethod
    def read(cls, connection: Connection, *, owner: str, application: str) -> Landing:
        """Ask the target's server which roles it has and which settings are a superuser's."""
        roles = connection.execute("SELECT rolname FROM pg_catalog.pg_roles").fetchall()
        reserved = connection.execute(
            "SELECT name FROM pg_catalog.pg_settings WHERE context <> 'user'"
        ).fetchall()
        return cls(
            owner,
            application,
            frozenset(name for (name,) in roles),
            frozenset({"role", "session_authorization", *(name for (name,) in reserved)}),
        )

    def expected(self, receipt: Receipt) -> Receipt:
        """Return a source's receipt as it must be found at the target."""
        return replace(receipt, objects=tuple(self._arriving(receipt.objects)))

    def found(self, receipt: Receipt) -> Receipt:
        """Return the target's receipt without what the target gives to its own roles."""
        return replace(
            receipt,
            objects=tuple(
                _without_public_owner(found)
                for found in receipt.objects
                if not self._stays_behind(found)
            ),
        )

    def lacking(self, receipt: Receipt) -> Iterator[Difference]:
        """Name what the application's role may not do at the target, and should."""
        if self.application == self.owner:
            return
        held = {
            (grant.properties["object"], grant.properties["privilege"])
            for grant in receipt.of_kind("grant")
            if grant.properties["grantee"] in {self.application, _PUBLIC}
        }
        for found in receipt.objects:
            wanted = APPLICATION.get(found.kind, frozenset())
            if found.name == _VERSION_TABLE:
                wanted = frozenset({"SELECT"})
            for privilege in sorted(wanted):
                if (found.name, privilege) not in held:
                    name = f"{privilege} on {found.kind} {found.name} to {self.application}"
                    yield Difference("grant", name, "", "present", MISSING)

    def _arriving(self, objects: Iterable[DatabaseObject]) -> Iterator[DatabaseObject]:
        filters: dict[str, Callable[[dict[str, Any]], bool]] = {
            "grant": self._carries_grant,
            "database setting": self._carries_setting,
            # pg_dump leaves invalid indexes out.
            "index": lambda properties: bool(properties["valid"]),
        }
        objects = tuple(objects)
        foreign = {found.name for found in objects if found.properties.get("kind") == "foreign"}
        for found in objects:
            if self._stays_behind(found) or belongs_to(found, foreign):
                continue
            carries = filters.get(found.kind)
            if carries is None or carries(found.properties):
                yield _without_public_owner(self._owned(found))

    def _owned(self, found: DatabaseObject) -> DatabaseObject:
        if "owner" not in found.properties:
            return found
        return replace(found, properties={**found.properties, "owner": self.owner})

    def _carries_grant(self, grant: dict[str, Any]) -> bool:
        if grant["grantee"] == self.owner:
            return False  # It owns the object there.
        if (grant["on"], grant["privilege"], grant["grantee"]) == ("schema", "CREATE", _PUBLIC):
            return False  # The application's role must not make tables, nor may anybody.
        return self._exists(grant["grantee"])

    def _carries_setting(self, setting: dict[str, Any]) -> bool:
        role = setting["role"]
        return setting["setting"] not in self.reserved and (not role or role in self.roles)

    def _exists(self, grantee: str) -> bool:
        return grantee == _PUBLIC or grantee in self.roles

    def _stays_behind(self, found: DatabaseObject) -> bool:
        if found.kind == "publication" and (
            found.properties["all_tables"] or found.properties.get("schemas")
        ):
            return True
        what = found.properties["on"] if found.kind == "grant" else found.kind
        return what in _NOT_CARRIED or self._is_ours(found)

    def _is_ours(self, found: DatabaseObject) -> bool:
        """Tell whether it is a right of the application's role, which every target gives it."""
        properties = found.properties
        if found.kind != "grant" or properties["grantee"] != self.application:
            return False
        standard = {*_WORK, "USAGE", "EXECUTE", "CONNECT"}
        return properties["privilege"] in standard and not properties["grantable"]


def belongs_to(found: DatabaseObject, tables: set[str]) -> bool:
    """Tell whether it is one of the tables, or one's column, right, constraint or trigger."""
    whole = found.properties.get("object", found.name)
    if "column" in {found.kind, found.properties.get("on")}:
        # A quoted name may hold full stops.
        return any(whole[:at] in tables for at, sign in enumerate(whole) if sign == ".")
    return whole in tables or found.name.rpartition(" on ")[2] in tables


def _without_public_owner(found: DatabaseObject) -> DatabaseObject:
    """Leave out who owns the schema `public`: the owner of the database, by whatever name."""
    if (found.kind, found.name) != ("schema", "public"):
        return found
    kept = {name: value for name, value in found.properties.items() if name != "owner"}
    return replace(found, properties=kept)
