"""Archives: a folder with a dump, its receipt and a manifest that seals both."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backend.durable import flush
from infra.errors import RefusedError
from infra.transfer.receipt import Receipt

FORMAT = 2
MANIFEST = "manifest.json"
RECEIPT = "receipt.json"
PARTIAL = ".partial"

_MODE = 0o700
_BLOCK = 1 << 20
_REMEDY = "Make a new archive with `invoke export-local`; `invoke archives` lists the sound ones."


@dataclass(frozen=True)
class Archive:
    """An archive whose manifest has been read; `content` is the manifest."""

    path: Path
    content: dict[str, Any]

    @property
    def name(self) -> str:
        """Return the name by which commands know the archive."""
        return self.path.name

    @property
    def created(self) -> datetime:
        """Return when the dump began, in UTC."""
        return datetime.fromisoformat(self.content["created"])

    @property
    def size(self) -> int:
        """Return the bytes of all files but the manifest."""
        return sum(int(file["bytes"]) for file in self.content["files"].values())

    @property
    def lists(self) -> list[str]:
        """Name the dump's lists, as the stages of a restore use them."""
        return sorted(path.name for path in (self.path / "lists").iterdir())

    def receipt(self) -> Receipt:
        """Read the receipt; RefusedError where there is none that proves anything."""
        try:
            return Receipt.from_json(json.loads((self.path / RECEIPT).read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RefusedError(
                f"archive {self.name!r} has no receipt that can be read", _REMEDY
            ) from error


def path_of(folder: Path, database: str, now: datetime) -> Path:
    """Return the folder of an archive to be, under a name that is never listed."""
    # The name is a folder's on every system, whatever the database is called.
    safe = re.sub(r"[^A-Za-z0-9_-]+", "_", database) or "database"
    return folder / f"{safe}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}.{os.getpid()}{PARTIAL}"


def final_path(partial: Path) -> Path:
    """Return what an archive is called when it is sealed."""
    return partial.with_name(partial.name.partition(".")[0])


def begin(partial: Path) -> None:
    """Make the folder; RefusedError where nothing can be written."""
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        partial.mkdir(mode=_MODE)
    except OSError as error:
        raise RefusedError(
            f"archive folder {partial.parent} cannot be written: {error.strerror}",
            "Make the folder writable for the user who runs this command.",
        ) from error


def seal(partial: Path, content: dict[str, Any]) -> Archive:
    """Write the manifest last, flush everything to disk, and give the archive its name."""
    files = {}
    for file in sorted(path for path in partial.rglob("*") if path.is_file()):
        files[file.relative_to(partial).as_posix()] = {
            "bytes": file.stat().st_size,
            "sha256": _sha256(file),
        }
        flush(file)
    manifest = {"format": FORMAT, **content, "files": files}
    manifest["seal"] = _seal(manifest)
    write_text(partial / MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
    path = final_path(partial)
    partial.rename(path)
    flush(path.parent)
    return Archive(path, manifest)


def discard(partial: Path) -> None:
    """Remove an archive that will not be finished."""
    shutil.rmtree(partial, ignore_errors=True)


def maker(partial: Path) -> int | None:
    """Return the process that is making an unfinished archive, or was."""
    number = partial.name.removesuffix(PARTIAL).rpartition(".")[2]
    return int(number) if number.isdigit() else None


def read(path: Path) -> Archive:
    """Read an archive's manifest; RefusedError when it is missing, unreadable or edited."""
    manifest = path / MANIFEST
    if not path.is_dir():
        raise RefusedError(f"archive {path.name!r} does not exist", _REMEDY)
    if not manifest.is_file():
        raise RefusedError(f"archive {path.name!r} has no manifest", _REMEDY)
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
        intact = content["seal"] == _seal(content)
        version = content["format"]
    except (ValueError, KeyError, TypeError):
        intact, version = False, None
    if not intact:
        raise RefusedError(f"archive {path.name!r} has a manifest that was changed", _REMEDY)
    if version != FORMAT:
        raise RefusedError(
            f"archive {path.name!r} has format {version}, and this version reads {FORMAT}",
            "Make a new archive, or restore it with the commands in its manifest.",
        )
    return Archive(path, content)


def list_all(folder: Path) -> list[Archive | RefusedError]:
    """Read every archive's manifest, newest first; a damaged one comes as its error."""
    found: list[Archive | RefusedError] = []
    for path in sorted(folder.glob("*"), key=lambda path: path.name, reverse=True):
        if not path.is_dir() or path.name.endswith(PARTIAL):
            continue
        try:
            found.append(read(path))
        except RefusedError as error:
            found.append(error)
    return sorted(
        found, key=lambda item: item.created.timestamp() if isinstance(item, Archive) else 0,
        reverse=True,
    )  # fmt: skip


def verify_files(archive: Archive) -> None:
    """Compare every file with the manifest; RefusedError names the first that differs."""
    expected: dict[str, Any] = archive.content["files"]
    present = {
        path.relative_to(archive.path).as_posix()
        for path in archive.path.rglob("*")
        if path.is_file()
    } - {MANIFEST}
    for name in sorted(present - expected.keys()):
        raise RefusedError(f"archive {archive.name!r} holds a file it should not: {name}", _REMEDY)
    for name, facts in expected.items():
        file = archive.path / name
        if name not in present:
            raise RefusedError(f"archive {archive.name!r} lacks the file {name}", _REMEDY)
        if file.stat().st_size != facts["bytes"]:
            raise RefusedError(
                f"archive {archive.name!r}: {name} has {file.stat().st_size} bytes, "
                f"not {facts['bytes']}",
                _REMEDY,
            )
        if _sha256(file) != facts["sha256"]:
            raise RefusedError(f"archive {archive.name!r}: {name} is damaged", _REMEDY)


def write_text(path: Path, text: str) -> None:
    """Write a file of the archive and flush it to disk."""
    path.write_text(text, encoding="utf-8", newline="\n")
    flush(path)


def _seal(manifest: dict[str, Any]) -> str:
    content = {name: value for name, value in manifest.items() if name != "seal"}
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        digest = hashlib.sha256()
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
