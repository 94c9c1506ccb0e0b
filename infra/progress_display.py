"""How progress looks: a moving stage line with the workers below it, or plain lines."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from infra.transfer.wording import amount, duration, printable, size

# Below that the moving line has no room for a name beside its numbers.
NARROWEST = 60
_WIDTH = 80
_INDENT = "  "
_GAP = 2
_FACTS_COLUMN = 52
_SHORTEST_BAR = 5
_SHORTEST_NAME = 12
_MOST_WORKERS = 8
_REFRESHES = 5.0
_LINE_SECONDS = 10.0
_POLL_SECONDS = 0.5
# Before that an estimate jumps about.
_ESTIMATE_SECONDS = 1.0
_MINUTE = 60


@dataclass
class _Stage:
    name: str
    total: int
    unit: str
    began: float
    done: int = 0

    @property
    def counted(self) -> str:
        """Return what is done as it stands before a total with the unit."""
        return size(self.done) if self.unit == "bytes" else f"{self.done:,}"

    @property
    def percent(self) -> int | None:
        """Return whole percents, 100 only when all is done; None without a known total."""
        return min(100 * self.done // self.total, 100) if self.total else None

    def seconds_left(self, now: float) -> float | None:
        """Estimate from the pace so far; None while there is nothing to estimate from."""
        elapsed = now - self.began
        if not self.total or not self.done or elapsed < _ESTIMATE_SECONDS:
            return None
        return max(elapsed * (self.total - self.done) / self.done, 0.0)


class _Display(ABC):
    """Keeps the current stage; the two displays below show it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._current: _Stage | None = None

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._end("done" if kind is None else "stopped")
        self._close()

    def stage(self, name: str, *, total: int = 0, unit: str = "") -> None:
        """End the current stage and begin the next."""
        with self._lock:
            self._end("done")
            self._current = _Stage(printable(name), total, unit, self._clock())
            self._show_begin(self._current)

    def advance(self, amount: int) -> None:
        """Add what was done in the current stage."""
        with self._lock:
            if self._current is not None:
                self._current.done += amount

    def _end(self, outcome: str) -> None:
        if self._current is not None:
            self._show_end(self._current, outcome, self._clock() - self._current.began)
            self._current = None

    @abstractmethod
    def _open(self) -> None: ...

    @abstractmethod
    def _close(self) -> None: ...

    @abstractmethod
    def _show_begin(self, stage: _Stage) -> None: ...

    @abstractmethod
    def _show_end(self, stage: _Stage, outcome: str, seconds: float) -> None: ...


class PlainProgress(_Display):
    """Lines for pipes and logs: when a stage begins, every ten seconds, and when it ends."""

    def __init__(
        self,
        line: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        poll: float = _POLL_SECONDS,
    ) -> None:
        super().__init__(clock)
        self._line = line
        self._poll = poll
        self._due = 0.0
        self._over = threading.Event()
        # A stage may stand still for minutes, so its lines cannot wait for `advance`.
        self._timer = threading.Thread(target=self._repeat, daemon=True)

    def working(self, worker: int, on: str) -> None:
        """Leave out what changes many times a second."""

    def _open(self) -> None:
        self._timer.start()

    def _close(self) -> None:
        self._over.set()
        self._timer.join()

    def _show_begin(self, stage: _Stage) -> None:
        self._due = stage.began + _LINE_SECONDS
        total = f": {amount(stage.total, stage.unit)}" if stage.total else ""
        self._line(f"{_INDENT}{stage.name}{total}")

    def _show_end(self, stage: _Stage, outcome: str, seconds: float) -> None:
        done = f", {amount(stage.done, stage.unit)}" if stage.done else ""
        self._line(f"{_INDENT}{stage.name}: {outcome}{done} in {duration(seconds)}")

    def _repeat(self) -> None:
        while not self._over.wait(self._poll):
            with self._lock:
                now = self._clock()
                if self._current is not None and now >= self._due:
                    self._due = now + _LINE_SECONDS
                    self._line(f"{_INDENT}{self._current.name}: {_so_far(self._current, now)}")


class MovingProgress(_Display):
    """A line that moves for the current stage, one for each busy worker, one left by each stage."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self._console = console
        # Replaced, never changed: the refreshing thread reads it without the lock.
        self._workers: dict[int, str] = {}
        self._live = Live(
            console=console,
            get_renderable=self.picture,
            refresh_per_second=_REFRESHES,
            transient=True,
        )

    def working(self, worker: int, on: str) -> None:
        """Show what a worker is at, or nothing for an idle one."""
        with self._lock:
            others = {number: text for number, text in self._workers.items() if number != worker}
            self._workers = others | ({worker: printable(on)} if on else {})

    def picture(self) -> RenderableType:
        """Draw the stage and its workers; empty between stages."""
        stage, workers = self._current, self._workers
        if stage is None:
            return ""
        width = self._width
        names = [workers[number] for number in sorted(workers)]
        if len(names) > _MOST_WORKERS:
            names[_MOST_WORKERS - 1 :] = [f"and {len(names) - _MOST_WORKERS + 1} more"]
        return Group(
            _stage_line(stage, self._clock(), width),
            *(_cut(Text(f"{_INDENT * 2}{name}", style="dim"), width) for name in names),
        )

    @property
    def _width(self) -> int:
        return min(self._console.width, _WIDTH)

    def _open(self) -> None:
        self._live.start()

    def _close(self) -> None:
        self._live.stop()

    def _show_begin(self, stage: _Stage) -> None:
        """Leave it to the next refresh."""

    def _show_end(self, stage: _Stage, outcome: str, seconds: float) -> None:
        self._workers = {}
        done = f"{amount(stage.done, stage.unit):>24}" if stage.done else ""
        took = f"{duration(seconds):>13}" + ("  stopped" if outcome == "stopped" else "")
        room = self._width - len(done) - len(took)
        line = _cut(Text(f"{_INDENT}{stage.name}"), room)
        line.pad_right(max(min(room, _FACTS_COLUMN - len(done)) - line.cell_len, 0))
        self._console.print(line.append(done + took))


def _stage_line(stage: _Stage, now: float, width: int) -> RenderableType:
    """Draw one line of exactly known columns, so that nothing wraps or is squeezed."""
    left = stage.seconds_left(now)
    percent = f"{stage.percent:>3}%" if stage.percent is not None else ""
    elapsed = f"{_stopwatch(now - stage.began):>5}"
    remaining = f"{_stopwatch(left)} left" if left is not None else ""
    if stage.total:
        remaining = f"{remaining:>10}"
    texts = [percent, _fraction(stage), elapsed, remaining]
    name = Text(f"{_INDENT}{stage.name}", no_wrap=True, overflow="ellipsis")

    def room() -> int:
        return width - sum(len(text) + _GAP for text in texts if text)

    if room() < min(name.cell_len, _SHORTEST_NAME):
        texts.remove(elapsed)
    name_width = min(name.cell_len, room())
    bar_width = room() - name_width - _GAP
    line = Table.grid(padding=(0, _GAP, 0, 0), pad_edge=False)
    cells: list[RenderableType] = [name]
    line.add_column(width=name_width, no_wrap=True)
    if bar_width >= _SHORTEST_BAR:
        line.add_column(width=bar_width)
        cells.append(ProgressBar(stage.total or None, stage.done, pulse=not stage.total))
    for text in filter(None, texts):
        line.add_column(width=len(text), no_wrap=True)
        cells.append(Text(text, no_wrap=True, style="dim" if text is elapsed else ""))
    line.add_row(*cells)
    return line


def _cut(line: Text, width: int) -> Text:
    line.truncate(width, overflow="ellipsis")
    return line


def _so_far(stage: _Stage, now: float) -> str:
    """Say how far a stage is, in words for a log."""
    left = stage.seconds_left(now)
    parts = []
    if stage.total:
        parts += [f"{stage.counted} of {amount(stage.total, stage.unit)}", f"{stage.percent}%"]
    elif stage.done:
        parts.append(amount(stage.done, stage.unit))
    time_of = f"{duration(now - stage.began)} so far" if left is None else f"{duration(left)} left"
    return ", ".join([*parts, time_of])


def _fraction(stage: _Stage) -> str:
    """Write done and total with as many characters all the while."""
    if not stage.total:
        return amount(stage.done, stage.unit) if stage.done else ""
    widest = len("999.9 MB") if stage.unit == "bytes" else len(f"{stage.total:,}")
    return f"{stage.counted:>{widest}} / {amount(stage.total, stage.unit)}"


def _stopwatch(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), _MINUTE)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
