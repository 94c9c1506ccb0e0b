"""Archives and pages that are not what they were: found before anything is touched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.transfer import archive
from tests.faults.conftest import export
from tests.fixtures.checkout import Checkout
from tests.fixtures.faults import complaint, databases, leftovers
from tests.fixtures.servers import LITTLE, Server

Damage = Callable[[Path], None]


def flip_a_bit(folder: Path) -> None:
    content = bytearray(largest(folder).read_bytes())
    content[len(content) // 2] ^= 1
    largest(folder).write_bytes(content)


def truncate(folder: Path) -> None:
    content = largest(folder).read_bytes()
    largest(folder).write_bytes(content[: len(content) * 55 // 100])


def empty(folder: Path) -> None:
    largest(folder).write_bytes(b"")


def replace_with_text(folder: Path) -> None:
    size = (folder / "dump" / "toc.dat").stat().st_size
    (folder / "dump" / "toc.dat").write_bytes(b"-- PostgreSQL database dump\n".ljust(size))


def replace_with_folder(folder: Path) -> None:
    (folder / "dump" / "toc.dat").unlink()
    (folder / "dump" / "toc.dat").mkdir()


def replace_with_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_bytes(b"PGDMP")


def edit_receipt(folder: Path) -> None:
    text = (folder / archive.RECEIPT).read_text(encoding="utf-8")
    assert "1000" in text
    (folder / archive.RECEIPT).write_text(text.replace("1000", "1001", 1), encoding="utf-8")


def lose_receipt(folder: Path) -> None:
    (folder / archive.RECEIPT).unlink()


def lose_manifest(folder: Path) -> None:
    (folder / archive.MANIFEST).unlink()


def edit_manifest(folder: Path) -> None:
    text = (folder / archive.MANIFEST).read_text(encoding="utf-8")
    (folder / archive.MANIFEST).write_text(text.replace("2000", "2001", 1), encoding="utf-8")


DAMAGES = [
    flip_a_bit,
    truncate,
    empty,
    replace_with_text,
    replace_with_folder,
    replace_with_file,
    edit_receipt,
    lose_receipt,
    lose_manifest,
    edit_manifest,
]


def largest(folder: Path) -> Path:
    return max((folder / "dump").iterdir(), key=lambda path: path.stat().st_size)


@pytest.fixture(scope="module")
def little(stack: Checkout) -> str:
    return export(stack, "little")


@pytest.fixture
def copy(stack: Checkout, little: str) -> Iterator[Path]:
    """Copy the sound archive to one that may be damaged."""
    archives = stack.folder / "data" / "archives"
    made = archives / "copy-20240101T000000Z"
    shutil.copytree(archives / little, made)
    yield made
    if made.is_dir():
        shutil.rmtree(made)
    else:
        made.unlink()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_archive_is_refused_before_the_target_is_touched(
    stack: Checkout, copy: Path, damage: Damage
) -> None:
    damage(copy)
    before = databases(stack)

    line = complaint(stack.invoke("restore", copy.name, "--to", "local", "--yes"), 3)

    assert copy.name in line
    assert databases(stack) == before


@pytest.mark.parametrize("damage", [flip_a_bit, edit_receipt, lose_receipt])
def test_a_damaged_archive_verifies_nothing(stack: Checkout, copy: Path, damage: Damage) -> None:
    damage(copy)

    assert copy.name in complaint(stack.invoke("verify", copy.name, "source"), 3, 8)


@pytest.mark.parametrize("damage", [edit_receipt, lose_receipt])
def test_a_receipt_that_was_changed_and_sealed_again_proves_nothing(
    stack: Checkout, copy: Path, damage: Damage
) -> None:
    manifest = json.loads((copy / archive.MANIFEST).read_text(encoding="utf-8"))
    (copy / archive.MANIFEST).unlink()
    damage(copy)
    partial = copy.rename(copy.with_name(f"{copy.name}.0{archive.PARTIAL}"))
    archive.seal(partial, {name: manifest[name] for name in manifest if name != "seal"})
    before = databases(stack)

    complaint(stack.invoke("restore", copy.name, "--to", "local", "--yes"), 3, 8)
    complaint(stack.invoke("verify", copy.name, "source"), 3, 8)

    assert databases(stack) == before
    assert leftovers(stack) == []


def test_a_damaged_page_of_the_source_is_named_and_makes_no_archive(
    stack: Checkout, source: Server
) -> None:
    source.load(LITTLE.replace("little", "sound"))
    source.execute("ALTER DATABASE sound ALLOW_CONNECTIONS false")
    # Copied as files, so that no page of it is in the server's memory.
    source.execute("CREATE DATABASE worn TEMPLATE sound STRATEGY file_copy")
    ((path,),) = source.execute("SELECT pg_relation_filepath('child')", "worn")
    ((data,),) = source.execute("SHOW data_directory")
    spoil = f"head -c 64 /dev/urandom | dd of={data}/{path} bs=1 seek=8 conv=notrunc"
    code, output = source.container.exec_run(["sh", "-c", spoil])
    assert code == 0, output
    stack.set(SOURCE_DB_NAME="worn")
    before = stack.archives
    try:
        line = complaint(stack.invoke("export-local"), 5, 7)
    finally:
        for database in ("worn", "sound"):
            source.execute(f"DROP DATABASE {database} WITH (FORCE)")

    assert "child" in line
    assert stack.archives == before
