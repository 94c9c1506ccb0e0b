"""Starting the Docker daemon, also after one that was killed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from infra.errors import EngineError
from scripts.bootstrap_steps.machine import Detached, Machine

_LOG = Path("/var/log/dockerd.log")
_PID_FILES = {
    "dockerd": Path("/var/run/docker.pid"),
    "containerd": Path("/var/run/docker/containerd/containerd.pid"),
}
_PROC = Path("/proc")
_SYSTEMD = Path("/run/systemd/system")
# How long a daemon may take until it answers. Seconds.
_DEADLINE = 60.0
_LINES_SHOWN = 5


def start(machine: Machine, answers: Callable[[], bool]) -> None:
    """Start the daemon and wait until it answers."""
    machine.say("starting the Docker daemon")
    if _SYSTEMD.is_dir():
        _start_unit(machine)
        await_answer(answers, None, lambda: _journal(machine))
        return
    for name, pid_file in _PID_FILES.items():
        if is_stale(pid_file, name):
            machine.say(f"removing {pid_file}, left behind by a {name} that was killed")
            pid_file.unlink()
    # One that is alive already is only slow; a second one would refuse to start beside it.
    running = _PID_FILES["dockerd"].exists()
    process = None if running else machine.terminal.detach(["dockerd"], _LOG)
    await_answer(answers, process, _log)


def await_answer(
    answers: Callable[[], bool],
    process: Detached | None,
    log: Callable[[], str],
    deadline: float = _DEADLINE,
) -> None:
    """Wait until the daemon answers; raise with its last words when it dies or takes too long."""
    end = time.monotonic() + deadline
    while not answers():
        died = process is not None and process.poll() is not None
        if died or time.monotonic() > end:
            what = "ended at once" if died else f"does not answer after {deadline:.0f} seconds"
            last = "\n  ".join(log().splitlines()[-_LINES_SHOWN:])
            raise EngineError(
                f"the docker daemon {what}; its last words:\n  {last}",
                "Settle what the daemon says, start it by hand, then run this again.",
            )
        time.sleep(min(0.5, deadline))


def is_stale(pid_file: Path, name: str, proc: Path = _PROC) -> bool:
    """Tell whether the process in the file is gone, or is another program under a reused number."""
    try:
        pid = int(pid_file.read_text("ascii"))
        status = (proc / str(pid) / "stat").read_text("utf-8", "replace")
    except FileNotFoundError:
        return pid_file.exists()
    except ValueError:
        return True
    # `pid (command) state ...`; a zombie is dead, but a daemon would take it for alive.
    command, _, rest = status.partition("(")[2].rpartition(")")
    return command != name or rest.split()[0] == "Z"


def _start_unit(machine: Machine) -> None:
    started = machine.terminal.run(["systemctl", "enable", "--now", "docker"])
    if not started.ok:
        raise EngineError(
            f"systemd cannot start docker: {started.stderr.strip()}",
            "Read `journalctl -u docker`, settle what it says, then run this again.",
        )


def _log() -> str:
    # A daemon that somebody else started writes elsewhere.
    return _LOG.read_text("utf-8", "replace") if _LOG.exists() else ""


def _journal(machine: Machine) -> str:
    words = ["journalctl", "-u", "docker", "-n", str(_LINES_SHOWN), "-o", "cat", "--no-pager"]
    return machine.terminal.run(words).stdout
