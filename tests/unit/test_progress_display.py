from __future__ import annotations

import io
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console as RichConsole

from infra.console import Console
from infra.progress_display import NARROWEST, MovingProgress, PlainProgress

CURSOR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


@dataclass
class Clock:
    """A clock that a test turns by hand."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    """Takes what a terminal would get."""

    def isatty(self) -> bool:
        return True


def moving(clock: Clock, width: int = 80) -> MovingProgress:
    return MovingProgress(
        RichConsole(file=Terminal(), force_terminal=True, width=width, color_system=None), clock
    )


def picture(progress: MovingProgress, width: int = 80) -> list[str]:
    """Return the lines that the terminal shows now."""
    console = RichConsole(file=io.StringIO(), width=width, color_system=None)
    console.print(progress.picture())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Put a terminal of 80 columns where standard output and standard error go.

    No fixture: pytest sets the streams anew before the test itself begins.
    """
    shown = Terminal()
    monkeypatch.setattr("sys.stdout", shown)
    monkeypatch.setattr("sys.stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    return shown


def be_interrupted(console: Console) -> None:
    with console.progress("restoring") as progress:
        progress.stage("loading rows", total=20, unit="rows")
        progress.advance(3)
        raise KeyboardInterrupt


# On a terminal


def test_a_stage_shows_amount_percentage_elapsed_and_time_left() -> None:
    clock = Clock()
    progress = moving(clock)
    progress.stage("loading rows", total=20_000_000, unit="rows")
    clock.now += 30
    progress.advance(5_000_000)

    (line,) = picture(progress)

    assert re.fullmatch(
        r"  loading rows  ━+[╸╺]?━+ +25% +5,000,000 / 20,000,000 rows +0:30 +1:30 left", line
    )
    assert cell_len(line) == 80


def test_bytes_are_shown_in_large_units() -> None:
    clock = Clock()
    progress = moving(clock)
    progress.stage("checking files", total=3_400_000_000, unit="bytes")
    clock.now += 4000
    progress.advance(850_000_000)

    assert "25%  850.0 MB / 3.4 GB  1:06:40  3:20:00 left" in picture(progress)[0]


def test_a_stage_of_unknown_length_shows_no_percentage() -> None:
    clock = Clock()
    progress = moving(clock)
    progress.stage("swapping")
    clock.now += 3

    (line,) = picture(progress)
    assert line.startswith("  swapping  ━")
    assert line.endswith("━   0:03")
    assert "%" not in line


def test_a_stage_is_whole_only_at_its_end() -> None:
    progress = moving(Clock())
    progress.stage("loading rows", total=1000, unit="rows")
    progress.advance(999)
    assert " 99%" in picture(progress)[0]

    progress.advance(1)
    assert "100%" in picture(progress)[0]

    progress.advance(500)
    assert "100%" in picture(progress)[0]


def test_each_busy_worker_has_a_line() -> None:
    progress = moving(Clock())
    progress.stage("loading rows", total=10, unit="rows")
    progress.working(2, "public.orders")
    progress.working(0, "public.ticks 2026-01-02")
    progress.working(1, "public.trades")
    progress.working(1, "")

    assert picture(progress)[1:] == ["    public.ticks 2026-01-02", "    public.orders"]


def test_many_workers_do_not_fill_the_screen() -> None:
    progress = moving(Clock())
    progress.stage("loading rows", total=10, unit="rows")
    for worker in range(32):
        progress.working(worker, f"public.ticks {worker}")

    lines = picture(progress)
    assert len(lines) == 9
    assert lines[-2:] == ["    public.ticks 6", "    and 25 more"]


def test_a_new_stage_begins_without_workers() -> None:
    progress = moving(Clock())
    progress.stage("loading rows", total=10, unit="rows")
    progress.working(0, "public.ticks")
    progress.stage("swapping")

    assert len(picture(progress)) == 1


def at_once(work: Callable[[int], None]) -> None:
    """Let four workers begin their work in one moment."""
    gate = threading.Barrier(4)

    def begin(number: int) -> None:
        gate.wait()
        work(number)

    workers = [threading.Thread(target=begin, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def test_workers_may_advance_at_once() -> None:
    class Slow(int):
        def __radd__(self, other: int) -> int:
            time.sleep(0.01)
            return other + int(self)

    progress = moving(Clock())
    progress.stage("loading rows", total=4, unit="rows")

    at_once(lambda _: progress.advance(Slow(1)))

    assert "4 / 4 rows" in picture(progress)[0]


def test_workers_may_speak_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def slowly(name: str) -> str:
        time.sleep(0.01)
        return name

    progress = moving(Clock())
    progress.stage("loading rows", total=4, unit="rows")
    monkeypatch.setattr("infra.progress_display.printable", slowly)

    at_once(lambda worker: progress.working(worker, f"part {worker}"))

    assert picture(progress)[1:] == [f"    part {worker}" for worker in range(4)]


def test_a_narrow_terminal_shows_the_name_rather_than_the_time_that_passed() -> None:
    clock = Clock()
    progress = moving(clock, NARROWEST)
    progress.stage("loading rows", total=120_000_000, unit="rows")
    clock.now += 75
    progress.advance(60_000_000)

    (line,) = picture(progress, NARROWEST)
    assert line == "  loading…   50%   60,000,000 / 120,000,000 rows   1:15 left"


@settings(max_examples=80, deadline=None)
@given(
    name=st.builds(str.__mul__, st.text(min_size=1, max_size=20), st.integers(1, 10)),
    on=st.builds(str.__mul__, st.text(min_size=1, max_size=20), st.integers(1, 100)),
    total=st.integers(0, 10**13),
    share=st.floats(0, 1.2),
    unit=st.sampled_from(["", "bytes", "rows", "objects"]),
    elapsed=st.floats(0, 10**5),
    width=st.integers(NARROWEST, 200),
)
def test_nothing_wraps(
    name: str, on: str, total: int, share: float, unit: str, elapsed: float, width: int
) -> None:
    clock = Clock()
    progress = moving(clock, width)
    progress.stage(name, total=total, unit=unit)
    progress.working(0, on)
    clock.now += elapsed
    progress.advance(int(total * share))

    lines = picture(progress, width)

    assert len(lines) == 2
    assert max(map(cell_len, lines)) <= min(width, 80)
    assert all(line.isprintable() for line in lines)


def test_a_finished_stage_leaves_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)

    with Console().progress("restoring") as progress:
        progress.stage("loading rows", total=20_000_000, unit="rows")
        progress.working(0, "public.ticks")
        progress.advance(20_000_000)
        progress.stage("writing a row into each hypertable, to be taken back")

    lines = [line for line in CURSOR.sub("", terminal.getvalue()).splitlines() if line.strip()]
    assert lines[0] == "restoring"
    assert [line for line in lines if line.endswith("0.0 s")] == [
        "  loading rows                       20,000,000 rows        0.0 s",
        "  writing a row into each hypertable, to be taken back        0.0 s",
    ]


def test_a_stage_that_failed_is_not_called_done(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)

    with pytest.raises(KeyboardInterrupt):
        be_interrupted(Console())

    assert "3 rows        0.0 s  stopped\n" in terminal.getvalue().replace("\r", "")
    # The cursor is shown again.
    assert terminal.getvalue().rindex("\x1b[?25h") > terminal.getvalue().rindex("\x1b[?25l")


def test_a_warning_stands_above_what_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)

    console = Console()
    with console.progress("restoring") as progress:
        progress.stage("loading rows", total=20, unit="rows")
        while "loading rows" not in terminal.getvalue():
            time.sleep(0.02)
        console.warn("table public.x has no primary key")

    shown = CURSOR.sub("\n", terminal.getvalue())
    assert "\nwarning: table public.x has no primary key\n" in shown
    # What moved was taken away before the warning was written.
    before = terminal.getvalue().partition("warning:")[0]
    assert before.endswith(("\x1b[2K\x1b[33m", "\x1b[2K"))


# Elsewhere


def test_a_pipe_gets_a_line_at_the_beginning_and_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Console().progress("restoring") as progress:
        progress.stage("loading rows", total=1200, unit="rows")
        progress.working(0, "public.ticks")
        progress.advance(1200)
        progress.stage("swapping")

    assert capsys.readouterr().out == (
        "restoring\n"
        "  loading rows: 1,200 rows\n"
        "  loading rows: done, 1,200 rows in 0.0 s\n"
        "  swapping\n"
        "  swapping: done in 0.0 s\n"
    )


def test_a_pipe_hears_where_a_stage_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        be_interrupted(Console())

    assert capsys.readouterr().out.endswith("  loading rows: stopped, 3 rows in 0.0 s\n")


def test_a_pipe_gets_no_control_characters_even_when_colours_are_forced(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")

    with Console().progress("restoring") as progress:
        progress.stage("loading \x1b[31mrows\r\n", total=1200, unit="rows")

    printed = capsys.readouterr().out
    assert all(line.isprintable() for line in printed.splitlines())
    assert printed.count("\n") == 3


@pytest.mark.parametrize(("name", "value"), [("TERM", "dumb"), ("COLUMNS", str(NARROWEST - 1))])
def test_a_terminal_that_cannot_show_it_gets_lines(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    terminal = a_terminal(monkeypatch)
    monkeypatch.setenv(name, value)

    with Console().progress("restoring") as progress:
        progress.stage("swapping")

    assert terminal.getvalue() == "restoring\n  swapping\n  swapping: done in 0.0 s\n"


def test_a_long_stage_tells_every_ten_seconds_how_far_it_is() -> None:
    clock, lines, told = Clock(), list[str](), threading.Event()

    def line(text: str) -> None:
        lines.append(text)
        told.set()

    def turn(seconds: float) -> None:
        told.clear()
        clock.now += seconds
        assert told.wait(10)

    # The clock is turned by hand; only the looking at it takes time.
    with PlainProgress(line, clock=clock, poll=0.01) as progress:
        progress.stage("loading rows", total=120, unit="rows")
        progress.advance(30)
        clock.now += 9.9
        time.sleep(0.1)
        assert lines == ["  loading rows: 120 rows"]
        turn(0.2)
        progress.advance(30)
        turn(10)
        progress.stage("swapping")
        turn(70)
        time.sleep(0.1)

    assert lines[1:3] == [
        "  loading rows: 30 of 120 rows, 25%, 30 s left",
        "  loading rows: 60 of 120 rows, 50%, 20 s left",
    ]
    assert lines[3:] == [
        "  loading rows: done, 60 rows in 20 s",
        "  swapping",
        "  swapping: 1 min 10 s so far",
        "  swapping: done in 1 min 10 s",
    ]


def test_nobody_prints_when_all_is_over() -> None:
    before = threading.active_count()
    with PlainProgress(lambda _: None) as progress:
        progress.stage("swapping")
        assert threading.active_count() == before + 1

    assert threading.active_count() == before
