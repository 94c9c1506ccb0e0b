"""What `invoke` itself takes while it transfers; Linux only, where the kernel keeps the figures."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from typing import Any

from tests.fixtures.checkout import Checkout, interrupt

_POLL_SECONDS = 0.05
_GRACE_SECONDS = 60
# Fields of /proc/PID/stat behind the program's name.
_USER, _SYSTEM = 11, 12


@dataclass(frozen=True)
class Measured:
    """A command that has ended: `cpu` seconds and `peak` bytes are its process's alone."""

    code: int
    output: str
    seconds: float
    cpu: float
    peak: int

    @property
    def failure(self) -> str:
        """Return the exit code and the error's line; empty after success."""
        if self.code == 0:
            return ""
        lines = self.output.strip().splitlines() or [""]
        told = [line for line in lines if line.startswith(("error:", "HINT:"))]
        return f"exit code {self.code}: {' '.join(told or lines[-1:])}"


def measure(checkout: Checkout, *arguments: str) -> Measured:
    """Run a task of the checkout to its end; it is interrupted when this is."""
    started = time.monotonic()
    output: list[str] = []
    with checkout.start(*arguments) as process:
        readers = [
            threading.Thread(target=output.extend, args=(stream,), daemon=True)
            for stream in (process.stdout, process.stderr)
        ]
        try:
            for reader in readers:
                reader.start()
            peak = _watch(process.pid)
            seconds = time.monotonic() - started
            # The kernel keeps it until somebody has waited for the process.
            cpu = _cpu(process.pid)
            process.wait()
        except BaseException:
            _end(process)
            raise
        for reader in readers:
            reader.join()
    return Measured(process.returncode, "".join(output), seconds, cpu, peak)


def last_report(checkout: Checkout) -> dict[str, Any]:
    """Return the newest report; empty where there is none."""
    reports = sorted((checkout.folder / "data" / "reports").glob("transfer-*.json"))
    found: dict[str, Any] = json.loads(reports[-1].read_text(encoding="utf-8")) if reports else {}
    return found


def _watch(pid: int) -> int:
    """Wait for the end without taking notice of it; return the most memory it had. Bytes."""
    peak = 0
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        with suppress(OSError):
            peak = max(peak, _peak(Path(f"/proc/{pid}/status").read_text(encoding="utf-8")))
        time.sleep(_POLL_SECONDS)
    return peak


def _peak(status: str) -> int:
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(found[0]) * 1024 if found else 0


def _cpu(pid: int) -> float:
    # A name may hold spaces and brackets.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / os.sysconf("SC_CLK_TCK")


def _end(process: Popen[str]) -> None:
    if process.poll() is not None:
        return
    interrupt(process)
    try:
        process.wait(_GRACE_SECONDS)
    except TimeoutExpired:
        process.kill()
        process.wait()
