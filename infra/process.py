"""The one module that starts programs: always a list of words, never a shell."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, Self

LineSink = Callable[[str], None]

# How long a child may take to leave after it was asked to, before it is killed. Seconds.
_GRACE = 5.0
# How many lines of complaint are kept of a program that runs for long.
_LAST_LINES = 50


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP: sent to this program alone, so that its children know nothing of it."""


@dataclass(frozen=True)
class Completed:
    """A program that has ended: its words, exit code and output as text."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Tell whether the program ended with exit code 0."""
        return self.returncode == 0


class Conversation:
    """A running program that is given lines and answers lines; leaving the block ends it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._complaint: deque[str] = deque(maxlen=_LAST_LINES)
        if isinstance(process.stdin, io.TextIOWrapper):
            # Windows would send a carriage return along with every line.
            process.stdin.reconfigure(newline="\n")
        self._reader = threading.Thread(
            target=_drain, args=(process.stderr, self._complaint, None), daemon=True
        )
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            # Most programs leave by themselves at the end of their input.
            if self._process.stdin is not None:
                _feed(self._process.stdin, "")
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self.end()
        finally:
            with self._process:
                self.end()
                self._reader.join()

    def tell(self, lines: Iterable[str]) -> None:
        """Write lines; a program that has gone is noticed by `hear` only."""
        try:
            if self._process.stdin is not None:
                self._process.stdin.write("".join(f"{line}\n" for line in lines))
                self._process.stdin.flush()
        except BrokenPipeError:
            pass

    def hear(self) -> str | None:
        """Wait for a line; None when the program has closed its output."""
        line = self._process.stdout.readline() if self._process.stdout else ""
        return line.rstrip("\n") if line.endswith("\n") else None

    def end(self) -> None:
        """End the program, also while another thread waits for its answer."""
        _end(self._process)

    @property
    def complaint(self) -> str:
        """Return the last lines of a program's error stream, once it has gone."""
        self._reader.join(_GRACE)
        return "".join(self._complaint)


class Runner(Protocol):
    """What starts programs; tests put a recorder in its place."""

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        on_stderr: LineSink | None = None,
    ) -> Completed:
        """Run to the end and capture the output; `env` is added to the environment."""
        ...

    def attach(self, argv: Sequence[str], *, cwd: Path | None = None) -> int:
        """Run on the user's terminal and return the exit code."""
        ...

    def pipe(self, producer: Sequence[str], consumer: Sequence[str]) -> Completed:
        """Feed one program's output into another; the first failure of the two is returned."""
        ...

    def converse(self, argv: Sequence[str]) -> Conversation:
        """Start a program that answers line by line."""
        ...


class SubprocessRunner:
    """Starts real programs, and takes them down with itself when interrupted."""

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        on_stderr: LineSink | None = None,
    ) -> Completed:
        """Run to the end and capture the output; a missing program is exit code 127."""
        try:
            process = subprocess.Popen(
                argv,
                env=_environment(env),
                stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        except FileNotFoundError as error:
            return Completed(tuple(argv), 127, "", str(error))
        with process:
            stderr: list[str] = []
            reader = threading.Thread(
                target=_drain, args=(process.stderr, stderr, on_stderr), daemon=True
            )
            try:
                reader.start()
                if stdin is not None and process.stdin is not None:
                    if isinstance(process.stdin, io.TextIOWrapper):
                        # Windows would send a carriage return along with a password.
                        process.stdin.reconfigure(newline="\n")
                    _feed(process.stdin, stdin)
                stdout = process.stdout.read() if process.stdout else ""
                process.wait()
                reader.join()
            except BaseException:
                _end(process)
                raise
        return Completed(tuple(argv), process.returncode, stdout, "".join(stderr))

    def attach(self, argv: Sequence[str], *, cwd: Path | None = None) -> int:
        """Run on the user's terminal; a missing program is exit code 127.

        Ctrl-C is the program's own affair; KeyboardInterrupt comes when it has failed by it.
        """
        try:
            process = subprocess.Popen(argv, cwd=cwd)
        except FileNotFoundError:
            return 127
        interrupted = False
        while True:
            try:
                code = process.wait()
                break
            except Terminated:
                process.terminate()
                interrupted = True
            except KeyboardInterrupt:
                # The terminal has sent it to the program too, which knows how to clean up.
                interrupted = True
        if interrupted and code != 0:
            raise KeyboardInterrupt
        # A program that a signal ended counts as it does in a shell.
        return code if code >= 0 else 128 - code

    def pipe(self, producer: Sequence[str], consumer: Sequence[str]) -> Completed:
        """Feed one program's output into another; the first failure of the two is returned."""
        for argv in (producer, consumer):
            if shutil.which(argv[0]) is None:
                return Completed(tuple(argv), 127, "", f"{argv[0]} is not installed")
        complaint: list[str] = []
        with (
            subprocess.Popen(
                producer,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            ) as first,
            subprocess.Popen(
                consumer,
                stdin=first.stdout,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
            ) as second,
        ):
            # The producer must see a broken pipe when the consumer dies.
            if first.stdout is not None:
                first.stdout.close()
            reader = threading.Thread(target=_drain, args=(first.stderr, complaint, None))
            reader.start()
            stdout, stderr = second.communicate()
            reader.join()
            first.wait()
        if first.returncode != 0 and second.returncode == 0:
            return Completed(tuple(producer), first.returncode, "", "".join(complaint))
        return Completed(tuple(consumer), second.returncode, stdout, stderr)

    def converse(self, argv: Sequence[str]) -> Conversation:
        """Start a program that answers line by line; FileNotFoundError when it is missing."""
        return Conversation(
            subprocess.Popen(
                argv,
                env=_environment(None),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        )


def kill_self() -> None:
    """End this process as `kill -9` does: nothing more is run, not even a cleanup."""
    os.kill(os.getpid(), signal.SIGKILL)


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    # Children inherit the user's environment whole (PATH, DOCKER_HOST, proxies): it is passed
    # on, not read, so this is no configuration. Messages are English so that they can be matched.
    return {**os.environ, "LC_MESSAGES": "C", **(extra or {})}  # noqa: TID251


def _feed(pipe: IO[str], text: str) -> None:
    # A child that dies early explains itself on stderr; a broken pipe here would hide that.
    try:
        pipe.write(text)
        pipe.close()
    except BrokenPipeError:
        pass


def _drain(pipe: IO[str] | None, lines: list[str] | deque[str], sink: LineSink | None) -> None:
    if pipe is None:
        return
    for line in pipe:
        lines.append(line)
        if sink is not None:
            sink(line.rstrip("\n"))


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
