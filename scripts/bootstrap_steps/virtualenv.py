"""The virtual environment .venv with the pinned dependencies."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.errors import UsageError
from scripts.bootstrap_steps.machine import Machine

# From here on, an exit code stands for the signal that ended the program.
_KILLED = 128
# The development requirements hold the operator's, pin for pin.
_INCLUDED = {"development.txt": ("development.txt", "operator.txt")}


class Virtualenv:
    """The checkout's virtual environment; its stamps say which requirements it holds whole."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._requirements = machine.checkout / "requirements"
        self.folder = machine.checkout / ".venv"
        self._programs = self.folder / ("Scripts" if os.name == "nt" else "bin")
        # Stands from before the first change until the stamp: a kill in between leaves it behind.
        self._unfinished = self.folder / "unfinished"

    def ensure(self, requirements: str) -> None:
        """Install the requirements file, unless its stamp says that it is installed."""
        if self._holds(requirements):
            return
        if not self._is_usable():
            self._create()
        self._install(requirements)

    def invoke(self, words: Sequence[str]) -> int:
        """Run Invoke in the checkout on the user's terminal and return its exit code."""
        command = [str(self._program("invoke")), *words]
        return self._machine.terminal.attach(command, cwd=self._machine.checkout)

    def _holds(self, requirements: str) -> bool:
        if self._unfinished.exists() or not self._program("invoke").exists():
            return False
        try:
            # A moved checkout has its old path in every script of the environment.
            return self._stamp(requirements).read_text("utf-8") == str(self.folder)
        except FileNotFoundError:
            return False

    def _is_usable(self) -> bool:
        if self._unfinished.exists() or not self._program("python").exists():
            return False
        stamps = list(self.folder.glob("requirements-*.stamp"))
        if any(stamp.read_text("utf-8") != str(self.folder) for stamp in stamps):
            return False
        return self._machine.terminal.run([str(self._program("python")), "-m", "pip", "-V"]).ok

    def _create(self) -> None:
        if Path(sys.prefix).resolve() == self.folder.resolve():
            raise UsageError(
                "the virtual environment .venv is broken and this script runs in it",
                "Run the script with the system's Python: `python3 scripts/bootstrap.py`.",
            )
        if importlib.util.find_spec("ensurepip") is None:
            self._install_venv_package()
        self._machine.say("creating .venv")
        if self.folder.exists():
            shutil.rmtree(self.folder)
        self.folder.mkdir()
        self._unfinished.touch()
        made = self._machine.terminal.run([sys.executable, "-m", "venv", str(self.folder)])
        if not made.ok:
            raise UsageError(
                f"the virtual environment {self.folder} cannot be made:"
                f" {(made.stdout + made.stderr).strip()}",
                "Install Python 3.11 or newer with its venv module, then run this again.",
            )

    def _install_venv_package(self) -> None:
        if self._machine.apt is not None:
            self._machine.apt.install("python3-venv", failure=UsageError)
            return
        raise UsageError(
            "python's module ensurepip is missing, which a virtual environment needs",
            "Install the package python3-venv (`sudo apt-get install python3-venv` on Debian and"
            " Ubuntu), then run this again.",
        )

    def _install(self, requirements: str) -> None:
        self._machine.say(f"installing requirements/{requirements}")
        self._unfinished.touch()
        for stamp in self.folder.glob("requirements-*.stamp"):
            stamp.unlink()
        # No option for the index: pip keeps to the user's own configuration.
        words = ["install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r"]
        pip = [str(self._program("python")), "-m", "pip", *words]
        code = self._machine.terminal.attach([*pip, str(self._requirements / requirements)])
        if 0 < code < _KILLED:
            # pip has undone by itself what it could not finish.
            self._unfinished.unlink()
        if code != 0 or not self._program("invoke").exists():
            raise UsageError(
                f"pip cannot install requirements/{requirements} (exit code {code})",
                "Settle what pip says above (a proxy or an own index goes into pip's"
                " configuration), then run this again.",
            )
        for included in _INCLUDED.get(requirements, (requirements,)):
            self._stamp(included).write_text(str(self.folder), "utf-8")
        self._unfinished.unlink()

    def _program(self, name: str) -> Path:
        return self._programs / (f"{name}.exe" if os.name == "nt" else name)

    def _stamp(self, requirements: str) -> Path:
        content = (self._requirements / requirements).read_bytes()
        return self.folder / f"requirements-{hashlib.sha256(content).hexdigest()}.stamp"
