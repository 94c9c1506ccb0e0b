"""Comparing with a database that a hosting platform has a part in."""

from __future__ import annotations

from dataclasses import replace

from backend.platform import ALL_MANAGED
from infra.postgres import platform
from infra.postgres.objects import DatabaseObject
from infra.transfer.receipt import Receipt

# What the platform decides about: it is there before anything is loaded, and stays.
_ITS_AFFAIR = frozenset(
    {"database", "database setting", "default privilege", "event trigger", "extension", "platform"}
)
# What the Data API shows to anybody, where everybody may read it.
_SHOWN = frozenset({"table", "column", "sequence"})
_PUBLIC = "PUBLIC"


def without_platform(expected: Receipt, found: Receipt) -> tuple[Receipt, Receipt]:
    """Return both without the platform's affairs, where either side is shared with one.

    Into such a database no right is carried that would show a table to anybody; where one is found
    there nevertheless, that is a difference.
    """
    lands = is_shared(found)
    if not (lands or is_shared(expected)):
        return expected, found

    def one(receipt: Receipt, *, hides: bool) -> Receipt:
        return replace(
            receipt,
            objects=tuple(
                item
                for item in receipt.objects
                if not _is_its_affair(item) and not (hides and shows(item))
            ),
        )

    return one(expected, hides=lands), one(found, hides=False)


def is_shared(receipt: Receipt) -> bool:
    """Tell whether the receipt is of a database that a platform has a part in."""
    return bool(receipt.of_kind("platform"))


def shows(item: DatabaseObject) -> bool:
    """Tell whether it is a right that shows somebody's rows to the users of the Data API."""
    if item.kind != "grant":
        return False
    grantee = item.properties["grantee"]
    return grantee in platform.API_ROLES or (grantee == _PUBLIC and item.properties["on"] in _SHOWN)


def _is_its_affair(item: DatabaseObject) -> bool:
    if item.kind != "grant":
        return item.kind in _ITS_AFFAIR or (item.kind == "schema" and item.name in ALL_MANAGED)
    properties = item.properties
    on, grantee = properties["on"], properties["grantee"]
    if on in {"database", "language"} or (on == "schema" and properties["object"] in ALL_MANAGED):
        return True
    if grantee in platform.API_ROLES:
        # They may look into the schema `public`, where they find nothing that is theirs.
        return bool(on == "schema")
    return platform.is_role(grantee)
