"""Progress: what a transfer tells while it works, and what is kept of it for the report."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

# Enough for a smooth line, and few enough for a report after a day of work.
_INTERVAL = 0.25
_MOST_SAMPLES = 2000


class Progress(Protocol):
    """Is told how far a transfer is; workers call `advance` and `working` from their threads."""

    def stage(self, name: str, *, total: int = 0, unit: str = "") -> None:
        """Begin a stage of so many bytes, rows or objects; a total of 0 is an unknown one."""
        ...

    def advance(self, amount: int) -> None:
        """Add what was done in the current stage."""
        ...

    def working(self, worker: int, on: str) -> None:
        """Say what a worker is at; an empty text when it is idle."""
        ...


@dataclass(frozen=True)
class Sample:
    """How much of a stage was done, so many seconds after the transfer began."""

    seconds: float
    stage: str
    done: int


@dataclass
class StageTime:
    """How much a stage did and how long it took."""

    name: str
    unit: str
    total: int
    done: int = 0
    seconds: float = 0.0


class Silent:
    """Shows nothing: for JSON output and for tests."""

    def stage(self, name: str, *, total: int = 0, unit: str = "") -> None:
        """Show nothing."""

    def advance(self, amount: int) -> None:
        """Show nothing."""

    def working(self, worker: int, on: str) -> None:
        """Show nothing."""


class Recorder:
    """Passes progress on and keeps what a report needs of it."""

    def __init__(self, progress: Progress, clock: Callable[[], float] = time.monotonic) -> None:
        self._progress = progress
        self._clock = clock
        self._lock = threading.Lock()
        self._began = clock()
        self._stage_began = 0.0
        self._stages: list[StageTime] = []
        # One list for each stage: its beginning, moments of it, and once it is over its end.
        self._samples: list[list[Sample]] = []
        self._interval = _INTERVAL

    @property
    def elapsed(self) -> float:
        """Return the seconds since the recorder was made."""
        return self._clock() - self._began

    @property
    def stages(self) -> list[StageTime]:
        """Return the stages so far; the last one ends now."""
        with self._lock:
            self._measure()
            return [replace(stage) for stage in self._stages]

    @property
    def samples(self) -> list[Sample]:
        """Return how much was done when, from the beginning of the first stage until now."""
        with self._lock:
            return [*(sample for stage in self._samples for sample in stage), *self._now()]

    def stage(self, name: str, *, total: int = 0, unit: str = "") -> None:
        """End the current stage and begin the next."""
        with self._lock:
            self._measure()
            for samples in self._samples[-1:]:
                samples.extend(self._now())
            self._stages.append(StageTime(name, unit, total))
            self._stage_began = self.elapsed
            self._samples.append(self._now())
            self._progress.stage(name, total=total, unit=unit)

    def advance(self, amount: int) -> None:
        """Add what was done in the current stage."""
        with self._lock:
            self._stages[-1].done += amount
            if self.elapsed - self._samples[-1][-1].seconds >= self._interval:
                self._samples[-1] += self._now()
                if sum(map(len, self._samples)) > _MOST_SAMPLES:
                    self._thin_out()
            self._progress.advance(amount)

    def working(self, worker: int, on: str) -> None:
        """Pass on what a worker is at."""
        self._progress.working(worker, on)

    def _measure(self) -> None:
        for stage in self._stages[-1:]:
            stage.seconds = self.elapsed - self._stage_began

    def _now(self) -> list[Sample]:
        return [Sample(self.elapsed, stage.name, stage.done) for stage in self._stages[-1:]]

    def _thin_out(self) -> None:
        """Keep the ends of each stage and every second moment between, and go on as thinly."""
        self._samples = [[*samples[:-1:2], samples[-1]] for samples in self._samples]
        self._interval = self.elapsed / sum(map(len, self._samples))
