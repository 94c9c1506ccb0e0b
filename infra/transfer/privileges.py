"""Rights and settings of an archive, given to the staging database that it was loaded into.

No text of the archive is run as SQL: names of objects are matched with those that the target's own
catalog prints, everything else goes through quoting.
"""

from __future__ import annotations

import re
from typing import Any

from psycopg import sql

from infra.postgres import names, objects
from infra.postgres.connection import Connection
from infra.postgres.objects import DatabaseObject
from infra.transfer.landing import Landing
from infra.transfer.receipt import Receipt
from infra.transfer.shared import without_platform

_PRIVILEGES = {
    "SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN",
    "USAGE", "CREATE", "CONNECT", "TEMPORARY", "EXECUTE",
}  # fmt: skip
# A view prints its columns with their types.
_FIRST_WORD = re.compile(r'"(?:[^"]|"")*"|[^" ]+')
_KEYWORDS = {
    "table": "TABLE",
    "sequence": "SEQUENCE",
    "schema": "SCHEMA",
    "function": "ROUTINE",
    "type": "TYPE",
    "language": "LANGUAGE",
    "database": "DATABASE",
}


def apply(connection: Connection, receipt: Receipt, landing: Landing) -> None:
    """Make grants, settings and the database's comment those that the target must have.

    The connection is a superuser's, in a transaction that the caller ends.
    """
    wanted = landing.expected(receipt)
    there = objects.read(connection)
    found = landing.found(Receipt(0, recoded=False, tables=(), objects=there))
    wanted, found = without_platform(wanted, found)
    known = _objects(there)
    for change, grants in (
        ("GRANT", _without(wanted, found, "grant")),
        ("REVOKE", _without(found, wanted, "grant")),
    ):
        for grant in grants:
            if (grant["on"], grant["object"]) in known and grant["privilege"] in _PRIVILEGES:
                connection.execute(_grant(connection, change, grant))
    for setting in wanted.of_kind("database setting"):
        properties = setting.properties
        _set(connection, properties["setting"], properties["value"], properties["role"])
    for comment in (found.properties["comment"] for found in wanted.of_kind("database")):
        connection.execute(
            sql.SQL("COMMENT ON DATABASE {} IS {}").format(
                sql.Identifier(connection.info.dbname), sql.Literal(comment)
            )
        )


def _without(receipt: Receipt, other: Receipt, kind: str) -> list[dict[str, Any]]:
    there = {found.name: found.properties for found in other.of_kind(kind)}
    return [
        found.properties
        for found in receipt.of_kind(kind)
        if there.get(found.name) != found.properties
    ]


def _objects(there: tuple[DatabaseObject, ...]) -> set[tuple[str, str]]:
    """Return what a grant may name: the kind as GRANT calls it, and the name as printed here."""
    known = {("database", ""), ("language", "plpgsql")}
    for found in there:
        if found.kind in {"view", "materialized view"}:
            known.add(("table", found.name))
            columns = map(_FIRST_WORD.match, found.properties.get("columns") or ())
            known |= {("column", f"{found.name}.{name[0]}") for name in columns if name}
        elif found.kind in _KEYWORDS or found.kind == "column":
            known.add((found.kind, found.name))
    return known


def _grant(connection: Connection, change: str, grant: dict[str, Any]) -> bytes:
    kind, name, columns = str(grant["on"]), str(grant["object"]), ""
    if kind == "database":
        name = sql.Identifier(connection.info.dbname).as_string()
    elif kind == "column":
        kind, (name, column) = "table", names.split(name)
        columns = f" ({column})"
    role = (
        "PUBLIC" if grant["grantee"] == "PUBLIC" else sql.Identifier(grant["grantee"]).as_string()
    )
    to = "TO" if change == "GRANT" else "FROM"
    option = " WITH GRANT OPTION" if change == "GRANT" and grant["grantable"] else ""
    on = f"{_KEYWORDS[kind]} {name}"
    return f"{change} {grant['privilege']}{columns} ON {on} {to} {role}{option}".encode()


def _set(connection: Connection, name: str, value: str, role: str) -> None:
    """Store a setting of the database, for one role or for all.

    A list such as search_path is one text in the catalog and several words in a statement: the
    session takes the text, and the statement takes it from the session.
    """
    before = connection.execute(
        "SELECT pg_catalog.current_setting(%s, true), pg_catalog.set_config(%s, %s, false)",
        [name, name, value],
    ).fetchone()
    whose = sql.SQL("ROLE {} IN DATABASE {}" if role else "DATABASE {}").format(
        *([sql.Identifier(role)] if role else []), sql.Identifier(connection.info.dbname)
    )
    connection.execute(sql.SQL("ALTER {} SET {} FROM CURRENT").format(whose, sql.Identifier(name)))
    connection.execute(
        "SELECT pg_catalog.set_config(%s, %s, false)", [name, (before[0] if before else "") or ""]
    )
