"""A restore that goes wrong is a failure, and the live database never knows of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.transfer import archive
from tests.e2e.test_bad_input import complaint
from tests.e2e.test_move import export
from tests.fixtures.checkout import Checkout

Edit = Callable[[Path], None]

LIVE = """
SELECT (SELECT string_agg(datname || oid, ',' ORDER BY oid) FROM pg_database),
       (SELECT string_agg(rolname, ',' ORDER BY oid) FROM pg_roles)
"""


def sealed_with(folder: Path, edit: Edit) -> None:
    """Change an archive and seal it again: sound in every checksum, wrong in what it holds."""
    manifest = json.loads((folder / archive.MANIFEST).read_text(encoding="utf-8"))
    (folder / archive.MANIFEST).unlink()
    edit(folder)
    partial = folder.rename(folder.with_name(f"{folder.name}.0{archive.PARTIAL}"))
    archive.seal(partial, {name: manifest[name] for name in manifest if name != "seal"})


def another_count(folder: Path) -> None:
    receipt = json.loads((folder / archive.RECEIPT).read_text(encoding="utf-8"))
    for table in receipt["tables"]:
        table["rows"] += table["name"] == "child"
    (folder / archive.RECEIPT).write_text(json.dumps(receipt), encoding="utf-8")


def a_table_more(folder: Path) -> None:
    receipt = json.loads((folder / archive.RECEIPT).read_text(encoding="utf-8"))
    receipt["tables"].append({**receipt["tables"][0], "name": "lost", "rows": 1})
    (folder / archive.RECEIPT).write_text(json.dumps(receipt), encoding="utf-8")


def another_digest(folder: Path) -> None:
    receipt = json.loads((folder / archive.RECEIPT).read_text(encoding="utf-8"))
    for table in receipt["tables"]:
        if table["name"] == "parent":
            table["digest"] = str(int(table["digest"]) + 1)
    (folder / archive.RECEIPT).write_text(json.dumps(receipt), encoding="utf-8")


def another_index(folder: Path) -> None:
    receipt = json.loads((folder / archive.RECEIPT).read_text(encoding="utf-8"))
    for found in receipt["objects"]:
        if found["kind"] == "index" and found["name"] == "public.parent_pkey":
            found["properties"]["definition"] += " WHERE true"
    (folder / archive.RECEIPT).write_text(json.dumps(receipt), encoding="utf-8")


def no_definition(folder: Path) -> None:
    """Leave out the definition of a table whose rows are still there."""
    entries = (folder / "lists" / "objects.list").read_text(encoding="utf-8").splitlines()
    kept = [entry for entry in entries if " TABLE public parent " not in entry]
    assert len(kept) == len(entries) - 1
    (folder / "lists" / "objects.list").write_text("\n".join(kept) + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("edit", "code", "named"),
    [
        (another_count, 8, "table public.child: rows is 1,000, expected 1,001"),
        (another_digest, 8, "table public.parent: content is"),
        (another_index, 8, "index public.parent_pkey: definition is"),
        (a_table_more, 8, "table public.lost: missing"),
        (no_definition, 7, "parent"),
    ],
)
@pytest.mark.parametrize("kind", ["fresh_stack", "plain"])
def test_what_differs_or_fails_is_named_and_the_live_database_stays(
    request: pytest.FixtureRequest, kind: str, edit: Edit, code: int, named: str
) -> None:
    stack: Checkout = request.getfixturevalue(kind)
    name = export(stack, "little")
    sealed_with(stack.folder / "data" / "archives" / name, edit)
    before = stack.sql(LIVE)

    line = complaint(stack.invoke("restore", name, "--to", "local", "--yes"), code)

    assert named in line
    assert stack.sql(LIVE) == before
