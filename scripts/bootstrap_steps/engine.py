"""The Docker engine: found, installed where the bootstrap may, or named for the user."""

from __future__ import annotations

import os
from pathlib import Path

from infra.errors import EngineError
from scripts.bootstrap_steps import daemon
from scripts.bootstrap_steps.apt import Apt
from scripts.bootstrap_steps.machine import Machine

_SOCKET = Path("/var/run/docker.sock")
_INSTALLATION = {
    "ubuntu": "Run `sudo apt-get install docker.io docker-compose-v2 docker-buildx`",
    "debian": "Run this script as root, which installs Docker, or from Debian 13 on"
    " `sudo apt-get install docker.io docker-cli docker-compose docker-buildx`",
    "fedora": "Run `sudo dnf install moby-engine docker-compose docker-buildx`",
    "arch": "Run `sudo pacman -S docker docker-compose docker-buildx`",
    "alpine": "Run `sudo apk add docker docker-cli-compose docker-cli-buildx`",
    "suse": "Run `sudo zypper install docker docker-compose docker-buildx`",
}
_OTHER_INSTALLATION = (
    "Install Docker Engine and Docker Compose 2.24 or newer as Docker's documentation says for"
    " this distribution"
)


def ensure(machine: Machine) -> None:
    """Have an engine that answers, or stop with what the user must install or start."""
    if answers(machine):
        return
    if machine.apt is None or _is_elsewhere(machine):
        raise advice(machine, socket_denied=_socket_denied())
    if not (machine.which("dockerd") and machine.which("docker")):
        _install(machine.apt)
    # A package's own script may have started it.
    if not answers(machine):
        daemon.start(machine, lambda: answers(machine))


def answers(machine: Machine) -> bool:
    """Tell whether an engine answers the client."""
    words = ["docker", "version", "--format", "{{.Server.Version}}"]
    return machine.terminal.run(words).ok


def advice(machine: Machine, *, socket_denied: bool) -> EngineError:
    """Say what is missing on a machine where the bootstrap may not install it."""
    if _is_elsewhere(machine):
        return EngineError(
            f"no docker engine answers at DOCKER_HOST={machine.environment['DOCKER_HOST']}",
            "Start that engine, or unset DOCKER_HOST to use one on this machine.",
        )
    if machine.which("docker") is None:
        return EngineError(
            "docker is not installed", f"{installation(machine)}; then run this again."
        )
    if machine.system in {"Darwin", "Windows"}:
        return EngineError(
            "the docker engine does not answer",
            "Start Docker Desktop, wait until it says that the engine runs, then run this again.",
        )
    if socket_denied:
        return EngineError(
            f"the docker engine's socket {_SOCKET} is closed to this user",
            "Run `sudo usermod -aG docker $USER`, log in again, then run this again.",
        )
    return EngineError(
        "the docker engine does not answer",
        "Run `sudo systemctl start docker`, then run this again.",
    )


def installation(machine: Machine) -> str:
    """Say how Docker with Compose is installed on such a machine, as a clause."""
    if machine.system in {"Darwin", "Windows"}:
        return "Install and start Docker Desktop"
    # The distribution itself comes before those it descends from.
    names = [machine.release.get("ID", ""), *machine.release.get("ID_LIKE", "").split()]
    return next(
        (_INSTALLATION[name] for name in names if name in _INSTALLATION), _OTHER_INSTALLATION
    )


def _install(apt: Apt) -> None:
    packages = ["docker.io", "iptables", "ca-certificates"]
    # Newer releases have the client in a package that docker.io only recommends.
    if apt.candidate("docker-cli"):
        packages.append("docker-cli")
    apt.install(*packages)


def _is_elsewhere(machine: Machine) -> bool:
    host = machine.environment.get("DOCKER_HOST", "")
    return host not in {"", f"unix://{_SOCKET}", "unix:///run/docker.sock"}


def _socket_denied() -> bool:
    return _SOCKET.exists() and not os.access(_SOCKET, os.W_OK)
