from __future__ import annotations

import re
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from infra import boundary
from infra.app import App
from infra.errors import ConfigurationError, RefusedError, SlipwayError, VerificationError
from tests.unit.conftest import CHECKOUT


@pytest.fixture(autouse=True)
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Keep debug logs in a folder of the test, and the process' own way to end."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield tmp_path
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def code_of(work: Callable[[App], None]) -> int:
    with pytest.raises(Exit) as caught:
        boundary.guarded(work)
    assert caught.value.message is None
    code: int = caught.value.code
    return code


def raising(error: BaseException) -> Callable[[App], None]:
    def work(app: App) -> None:
        del app
        raise error

    return work


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (ConfigurationError, 2),
        (RefusedError, 3),
        (lambda message, hint: VerificationError(message, hint, ("a", "b")), 8),
    ],
)
def test_an_expected_error_is_two_lines_and_its_code(
    capsys: pytest.CaptureFixture[str],
    logs: Path,
    kind: Callable[[str, str], SlipwayError],
    code: int,
) -> None:
    found = code_of(raising(kind("archive [red]'a' is damaged", "Run `invoke archives`.")))

    printed = capsys.readouterr()
    assert found == code
    assert printed.out == ""
    assert printed.err == "error: archive [red]'a' is damaged\nHINT: Run `invoke archives`.\n"
    assert list(logs.iterdir()) == []


def test_long_errors_stay_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    message = "settings cannot be used: " + "; ".join(f"VARIABLE_{n} is missing" for n in range(30))

    code_of(raising(ConfigurationError(message, "Correct these lines in .env.")))

    assert capsys.readouterr().err.splitlines() == [
        f"error: {message}",
        "HINT: Correct these lines in .env.",
    ]


def test_a_bug_leaves_a_log_and_names_it(capsys: pytest.CaptureFixture[str], logs: Path) -> None:
    found = code_of(raising(ValueError("surprise")))

    printed = capsys.readouterr()
    assert found == 1
    assert printed.out == ""
    match = re.fullmatch(
        r"error: unexpected ValueError\n"
        r"HINT: This is a bug in Slipway; its trace is in (.+\.log)\.\n",
        printed.err,
    )
    assert match is not None
    log = Path(match.group(1))
    assert list(logs.iterdir()) == [log]
    text = log.read_text(encoding="utf-8")
    assert text.startswith("Traceback (most recent call last):\n")
    assert text.endswith("ValueError: surprise\n")
    assert log.stat().st_mode & 0o077 == 0


def test_ctrl_c_is_exit_code_130(capsys: pytest.CaptureFixture[str], logs: Path) -> None:
    found = code_of(raising(KeyboardInterrupt()))

    assert found == 130
    assert capsys.readouterr().err == "warning: interrupted\n"
    assert list(logs.iterdir()) == []


def test_the_end_of_a_service_is_like_ctrl_c() -> None:
    def work(app: App) -> None:
        del app
        signal.raise_signal(signal.SIGTERM)

    assert code_of(work) == 130


@pytest.mark.parametrize("code", [0, 17])
def test_a_programs_own_exit_code_passes_through(
    capsys: pytest.CaptureFixture[str], logs: Path, code: int
) -> None:
    found = code_of(raising(Exit(code=code)))

    assert found == code
    assert capsys.readouterr() == ("", "")
    assert list(logs.iterdir()) == []


def test_work_that_succeeds_just_ends() -> None:
    apps: list[App] = []

    boundary.guarded(apps.append)

    assert [app.root for app in apps] == [CHECKOUT]


def test_a_tasks_body_gets_the_app_and_its_own_arguments() -> None:
    seen: list[tuple[type, str, bool]] = []

    @boundary.task(help={"flag": "a flag"})
    def example(app: App, name: str, flag: bool = False) -> None:
        """Do something."""
        seen.append((type(app), name, flag))

    example(Context(), "x", flag=True)

    assert seen == [(App, "x", True)]
    assert example.__doc__ == "Do something."
    assert [argument.name for argument in example.get_arguments()] == ["name", "flag"]


def test_a_tool_that_complains_of_ctrl_c_first_is_an_interruption(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def work(app: App) -> None:
        del app
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        raise RefusedError("pg_dump was terminated by the user", "Export again.")

    assert code_of(work) == 130
    assert "terminated" not in capsys.readouterr().err
