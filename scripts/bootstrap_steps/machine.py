"""The machine the bootstrap runs on: its system, its packages and the way to start programs."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from infra.process import Completed, SubprocessRunner
from scripts.bootstrap_steps.apt import Apt

Say = Callable[[str], None]

_DEBIAN_FAMILY = {"debian", "ubuntu"}


class Detached(Protocol):
    """A program that was started to outlive this one."""

    def poll(self) -> int | None:
        """Return its exit code, or None while it runs."""
        ...


class Terminal(Protocol):
    """What starts programs; tests put a recorder in its place."""

    def run(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> Completed:
        """Run to the end and capture the output; a missing program is exit code 127."""
        ...

    def attach(self, argv: Sequence[str], *, cwd: Path | None = None) -> int:
        """Run on the user's terminal and return the exit code."""
        ...

    def detach(self, argv: Sequence[str], log: Path) -> Detached:
        """Start a program in a session of its own, with its output in a log file."""
        ...


class SystemTerminal:
    """Starts real programs."""

    def run(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> Completed:
        """Run to the end and capture the output; a missing program is exit code 127."""
        return SubprocessRunner().run(argv, env=env)

    def attach(self, argv: Sequence[str], *, cwd: Path | None = None) -> int:
        """Run on the user's terminal; a missing program is exit code 127."""
        return SubprocessRunner().attach(argv, cwd=cwd)

    def detach(self, argv: Sequence[str], log: Path) -> Detached:
        """Start a program in a session of its own, with its output in a log file."""
        with log.open("ab") as output:
            return subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


@dataclass(frozen=True)
class Machine:
    """What the steps know of the machine, and what they act on it with."""

    checkout: Path
    system: str
    release: Mapping[str, str]
    environment: Mapping[str, str]
    terminal: Terminal
    say: Say
    # None where packages cannot be installed: another distribution, or not root.
    apt: Apt | None
    which: Callable[[str], str | None] = shutil.which

    @property
    def family(self) -> set[str]:
        """The distribution and those it descends from, as in /etc/os-release."""
        return {self.release.get("ID", ""), *self.release.get("ID_LIKE", "").split()} - {""}

    @property
    def is_debian_like(self) -> bool:
        """Tell whether the distribution installs its packages with APT."""
        return bool(self.family & _DEBIAN_FAMILY)


def detect(checkout: Path, say: Say) -> Machine:
    """Look at the machine this runs on."""
    # `su` leaves the administrator's folders out; dockerd, iptables and debootstrap live there.
    if os.name == "posix":
        _inherited()["PATH"] = (
            f"{_inherited().get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"
        )
    terminal = SystemTerminal()
    system = platform.system()
    machine = Machine(checkout, system, _os_release(system), _inherited(), terminal, say, apt=None)
    if not (machine.is_debian_like and _is_root() and machine.which("apt-get")):
        return machine
    return Machine(
        checkout, system, machine.release, _inherited(), terminal, say, Apt(terminal.run, say)
    )


def _inherited() -> os._Environ[str]:
    # The bootstrap makes the .env that backend.config reads, so it cannot ask backend.config.
    return os.environ  # noqa: TID251


def _is_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


def _os_release(system: str) -> dict[str, str]:
    if system != "Linux":
        return {}
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}
