from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from backend import durable


def test_a_file_is_written_for_its_owner_alone(tmp_path: Path) -> None:
    durable.write(tmp_path / "f", "ä\n")

    assert (tmp_path / "f").read_bytes() == "ä\n".encode()
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    (tmp_path / "f").write_text("old")

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(os if step == "fsync" else Path, step, fail)
    with pytest.raises(type(error)):
        durable.write(tmp_path / "f", "new")

    assert (tmp_path / "f").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_files_and_folders_can_be_flushed(tmp_path: Path) -> None:
    (tmp_path / "f").touch()

    durable.flush(tmp_path / "f")
    durable.flush(tmp_path)
    with pytest.raises(FileNotFoundError):
        durable.flush(tmp_path / "missing")
