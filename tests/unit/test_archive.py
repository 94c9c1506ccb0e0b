from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from infra.errors import RefusedError
from infra.postgres.objects import DatabaseObject
from infra.transfer import archive
from infra.transfer.archive import Archive
from infra.transfer.receipt import PartReceipt, Receipt, TableReceipt

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
RECEIPT = Receipt(
    server_version=170011,
    recoded=False,
    tables=(
        TableReceipt("public", "orders", "table", 7, -(2**70)),
        TableReceipt("public", "quotes", "hypertable", 12, 3, (PartReceipt("1 to 2", 12, 3),)),
    ),
    objects=(DatabaseObject("schema", "public", {"owner": "u", "comment": None}),),
)


def content(created: datetime = NOON) -> dict[str, object]:
    return {
        "created": created.isoformat(timespec="seconds"),
        "source": {"database": "tradingdb", "host": "h", "port": 5432, "user": "u"},
        "tables": 2,
        "rows": 19,
    }


def begin(folder: Path, database: str = "tradingdb", created: datetime = NOON) -> Path:
    partial = archive.path_of(folder, database, created)
    archive.begin(partial)
    return partial


def make(folder: Path, database: str = "tradingdb", created: datetime = NOON) -> Archive:
    partial = begin(folder, database, created)
    (partial / "dump").mkdir()
    (partial / "dump" / "toc.dat").write_bytes(b"PGDMP contents")
    (partial / "dump" / "1.dat.zst").write_bytes(bytes(range(256)) * 20)
    (partial / "lists").mkdir()
    archive.write_text(partial / "lists" / "objects.list", "1; 0 0 TABLE public quotes u\n")
    archive.write_text(partial / archive.RECEIPT, json.dumps(RECEIPT.as_json()))
    return archive.seal(partial, content(created))


@pytest.fixture
def sealed(tmp_path: Path) -> Archive:
    return make(tmp_path)


def test_a_sealed_archive_is_read_back(sealed: Archive) -> None:
    found = archive.read(sealed.path)
    archive.verify_files(found)

    assert found == sealed
    assert found.name == "tradingdb-20261122T120000Z"
    assert found.created == NOON
    assert found.receipt() == RECEIPT
    assert found.lists == ["objects.list"]


def test_the_size_is_that_of_all_files_but_the_manifest(sealed: Archive) -> None:
    files = [path for path in sealed.path.rglob("*") if path.is_file()]

    manifest = sealed.path / archive.MANIFEST
    assert sealed.size == sum(path.stat().st_size for path in files if path != manifest)


def test_the_manifest_lists_every_other_file(sealed: Archive) -> None:
    assert sorted(sealed.content["files"]) == [
        "dump/1.dat.zst",
        "dump/toc.dat",
        "lists/objects.list",
        "receipt.json",
    ]


def test_the_name_is_a_folders_on_every_system_and_in_utc(tmp_path: Path) -> None:
    local = datetime(2026, 11, 22, 14, 0, tzinfo=timezone(timedelta(hours=2)))

    partial = archive.path_of(tmp_path, "../my db: ä/x", local)

    assert partial == tmp_path / f"_my_db_x-20261122T120000Z.{os.getpid()}.partial"
    assert archive.final_path(partial) == tmp_path / "_my_db_x-20261122T120000Z"
    assert archive.maker(partial) == os.getpid()


@pytest.mark.parametrize("name", ["", ".", "..", "\0", "/", "a/../b", "x.y.partial", "ä"])
def test_no_name_of_a_database_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    finished = make(tmp_path / "archives", name)

    assert finished.path.parent == tmp_path / "archives"
    assert [path.name for path in tmp_path.iterdir()] == ["archives"]
    assert archive.list_all(tmp_path / "archives") == [finished]


def test_an_unfinished_archive_of_nobody_has_no_maker(tmp_path: Path) -> None:
    assert archive.maker(tmp_path / "tradingdb-20261122T120000Z.partial") is None


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "archives").touch()

    with pytest.raises(RefusedError) as caught:
        begin(tmp_path / "archives")
    assert caught.value.message == (
        f"archive folder {tmp_path / 'archives'} cannot be written: File exists"
    )
    assert caught.value.hint == "Make the folder writable for the user who runs this command."


def test_only_its_owner_may_look_into_an_archive(tmp_path: Path) -> None:
    partial = begin(tmp_path / "data" / "archives")
    mode = stat.S_IMODE(partial.stat().st_mode)
    finished = archive.seal(partial, content())

    assert (mode, stat.S_IMODE(finished.path.stat().st_mode)) == (0o700, 0o700)


def test_an_archive_that_is_not_finished_is_never_listed(tmp_path: Path) -> None:
    begin(tmp_path)

    assert archive.list_all(tmp_path) == []


def test_an_archive_that_is_discarded_leaves_nothing(tmp_path: Path) -> None:
    partial = begin(tmp_path)
    (partial / "dump").mkdir()

    archive.discard(partial)

    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_seal_gives_no_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(path: Path, target: Path) -> Path:
        raise KeyboardInterrupt(path, target)

    monkeypatch.setattr(Path, "rename", interrupt)

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path)
    assert archive.list_all(tmp_path) == []


def test_a_missing_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError) as caught:
        archive.read(tmp_path / "nothing")

    assert caught.value.message == "archive 'nothing' does not exist"
    assert caught.value.hint == (
        "Make a new archive with `invoke export-local`; `invoke archives` lists the sound ones."
    )


def test_a_missing_manifest_is_refused(sealed: Archive) -> None:
    (sealed.path / archive.MANIFEST).unlink()

    with pytest.raises(RefusedError) as caught:
        archive.read(sealed.path)
    assert caught.value.message == f"archive '{sealed.name}' has no manifest"


def edited(text: str, **changes: object) -> str:
    return json.dumps(json.loads(text) | changes)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: edited(text, rows=20),
        lambda text: edited(text, seal="0" * 64),
        lambda text: edited(text, format=3),
        lambda text: edited(text, extra=True),
        lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != "seal"}),
        lambda text: text.replace('"bytes": 14', '"bytes": 15'),
        lambda text: text[: len(text) // 2],
        lambda _: "",
        lambda _: "[]",
        lambda _: "null",
        lambda _: "not JSON at all",
    ],
)
def test_a_manifest_that_was_changed_is_refused(
    sealed: Archive, change: Callable[[str], str]
) -> None:
    manifest = sealed.path / archive.MANIFEST
    before = manifest.read_text(encoding="utf-8")
    manifest.write_text(change(before), encoding="utf-8")
    assert manifest.read_text(encoding="utf-8") != before

    with pytest.raises(RefusedError) as caught:
        archive.read(sealed.path)
    assert caught.value.message == f"archive '{sealed.name}' has a manifest that was changed"


def test_a_manifest_that_is_not_text_is_refused(sealed: Archive) -> None:
    (sealed.path / archive.MANIFEST).write_bytes(b"\xff\xfe\x00")

    with pytest.raises(RefusedError, match=r"has a manifest that was changed$"):
        archive.read(sealed.path)


@pytest.mark.parametrize("version", [1, 3])
def test_an_archive_of_another_format_is_refused(sealed: Archive, version: int) -> None:
    manifest = {**sealed.content, "format": version}
    del manifest["seal"]
    canonical = json.dumps(manifest, sort_keys=True, ensure_ascii=False)
    manifest["seal"] = hashlib.sha256(canonical.encode()).hexdigest()
    (sealed.path / archive.MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")

    with pytest.raises(RefusedError) as caught:
        archive.read(sealed.path)
    assert caught.value.message == (
        f"archive '{sealed.name}' has format {version}, and this version reads 2"
    )


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)


def refusal(found: Archive) -> str:
    with pytest.raises(RefusedError) as caught:
        archive.verify_files(archive.read(found.path))
    return caught.value.message


def test_a_file_that_was_truncated_is_named(sealed: Archive) -> None:
    (sealed.path / "dump" / "1.dat.zst").write_bytes(b"short")

    assert refusal(sealed) == f"archive '{sealed.name}': dump/1.dat.zst has 5 bytes, not 5120"


def test_a_file_with_one_bit_flipped_is_named(sealed: Archive) -> None:
    damage(sealed.path / "dump" / "1.dat.zst")

    assert refusal(sealed) == f"archive '{sealed.name}': dump/1.dat.zst is damaged"


def test_a_receipt_that_was_edited_is_named(sealed: Archive) -> None:
    receipt = sealed.path / archive.RECEIPT
    receipt.write_text(
        receipt.read_text(encoding="utf-8").replace('"rows": 7', '"rows": 8'), encoding="utf-8"
    )

    assert refusal(sealed) == f"archive '{sealed.name}': receipt.json is damaged"


def test_a_file_that_is_missing_is_named(sealed: Archive) -> None:
    (sealed.path / "dump" / "toc.dat").unlink()

    assert refusal(sealed) == f"archive '{sealed.name}' lacks the file dump/toc.dat"


def test_a_file_that_came_out_of_nowhere_is_named(sealed: Archive) -> None:
    (sealed.path / "dump" / "2.dat.zst").touch()

    assert refusal(sealed) == (
        f"archive '{sealed.name}' holds a file it should not: dump/2.dat.zst"
    )


def test_archives_are_listed_newest_first_with_the_damaged_ones_as_errors(tmp_path: Path) -> None:
    names = [
        make(tmp_path, "zebra", NOON - timedelta(days=1)).name,
        make(tmp_path, "apple", NOON).name,
        make(tmp_path, "mango", NOON - timedelta(days=2)).name,
    ]
    broken = make(tmp_path, "broken", NOON + timedelta(days=1))
    (broken.path / archive.MANIFEST).unlink()
    (tmp_path / "a-file.txt").touch()

    found = archive.list_all(tmp_path)

    sound = [item.name for item in found if isinstance(item, Archive)]
    assert sound == [names[1], names[0], names[2]]
    assert [item.message for item in found if isinstance(item, RefusedError)] == [
        f"archive '{broken.name}' has no manifest"
    ]


def test_without_a_folder_there_are_no_archives(tmp_path: Path) -> None:
    assert archive.list_all(tmp_path / "none") == []
