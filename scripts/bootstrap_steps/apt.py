"""The packages of a Debian or Ubuntu machine."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from infra.errors import EngineError, SlipwayError
from infra.process import Completed

_ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
# A server's own updates may hold the lock just after it was first started. Seconds.
_LOCK_TIMEOUT = "DPkg::Lock::Timeout=300"


class Run(Protocol):
    """Runs a program to the end and captures its output."""

    def __call__(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> Completed:
        """Run the words with these variables added to the environment."""
        ...


class Apt:
    """Installs packages, after one look at the machine's sources."""

    def __init__(self, run: Run, say: Callable[[str], None]) -> None:
        self._run = run
        self._say = say
        self._refreshed = False

    def get(self, *words: str) -> Completed:
        """Run apt-get without questions."""
        return self._run(["apt-get", "-o", _LOCK_TIMEOUT, *words], env=_ENVIRONMENT)

    def install(self, *packages: str, failure: type[SlipwayError] = EngineError) -> None:
        """Install the packages; nothing that is there already is removed for them."""
        self.refresh()
        self._say(f"installing {' '.join(packages)}")
        words = ["install", "-y", "--no-install-recommends", "--no-remove", *packages]
        done = self.get(*words)
        if not done.ok:
            raise failure(
                f"apt-get cannot install {' '.join(packages)}: {_complaint(done)}",
                f"Run `apt-get update && apt-get install {' '.join(packages)}` and settle what it"
                " says, then run this again.",
            )

    def candidate(self, package: str) -> str | None:
        """Return the version that the machine's sources offer."""
        self.refresh()
        policy = self._run(["apt-cache", "policy", package], env=_ENVIRONMENT)
        found = re.search(r"^\s*Candidate: (\S+)", policy.stdout, re.MULTILINE)
        return found[1] if found and found[1] != "(none)" else None

    def refresh(self) -> None:
        """Fetch the package lists once; a source that is gone does not stop the others."""
        if not self._refreshed:
            self._say("fetching the package lists")
            self.get("update")
            self._refreshed = True


def _complaint(done: Completed) -> str:
    errors = [line for line in done.stderr.splitlines() if line.startswith("E: ")]
    return errors[0].removeprefix("E: ") if errors else f"exit code {done.returncode}"
