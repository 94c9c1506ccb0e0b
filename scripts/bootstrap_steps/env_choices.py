"""What a new .env gets on this machine: free ports, volumes that work, the host's CA bundle."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from infra.errors import ConfigurationError
from infra.ports import is_free
from scripts.bootstrap_steps.env_file import Choice, Choices
from scripts.bootstrap_steps.machine import Machine

_PORTS = ("DB_PORT", "REDIS_PORT")
_HIGHEST_PORT = 65535
_NAMED_VOLUMES = {"DB_VOLUME": "db_data", "REDIS_VOLUME": "redis_data"}
_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")
_CA_BUNDLES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
)
# They know no owners, or no reliable fsync and locks, which PostgreSQL's data folder needs.
_UNFIT = {
    *("ntfs", "ntfs3", "fuseblk", "exfat", "vfat", "msdos", "drvfs", "9p"),
    *("cifs", "smb3", "smbfs", "nfs", "nfs4", "vboxsf", "prl_fs"),
}
# What a rootless container engine lays over a disk of the machine itself.
_FIT_FUSE = {"fuse.fuse-overlayfs"}


def choose(machine: Machine, example: Mapping[str, str]) -> Choices:
    """Choose the values in which this machine differs from the example."""
    return {
        **free_ports(example, is_free),
        **volumes(file_system(machine)),
        "BUILD_CA_FILE": Choice(ca_bundle(machine.environment, _CA_BUNDLES)),
    }


def free_ports(example: Mapping[str, str], free: Callable[[int], bool]) -> dict[str, Choice]:
    """Choose the next free port for each that is taken."""
    choices: dict[str, Choice] = {}
    used: set[int] = set()
    for name in (name for name in _PORTS if name in example):
        wanted = int(example[name])
        candidates = (port for port in range(wanted, _HIGHEST_PORT + 1) if port not in used)
        port = next((port for port in candidates if free(port)), None)
        if port is None:
            raise ConfigurationError(
                f"no port from {wanted} upwards is free for {name}",
                f"Stop a program that listens on 127.0.0.1, or choose {name} in a .env by hand.",
            )
        used.add(port)
        if port != wanted:
            choices[name] = Choice(str(port), f"port {wanted} is taken on 127.0.0.1")
    return choices


def volumes(file_system: str) -> dict[str, Choice]:
    """Choose named volumes where the project's file system cannot hold a database."""
    if can_hold_database(file_system):
        return {}
    reason = f"this folder's file system ({file_system}) cannot hold a database: a named volume"
    return {name: Choice(volume, reason) for name, volume in _NAMED_VOLUMES.items()}


def can_hold_database(file_system: str) -> bool:
    """Tell whether a container's database may keep its files there."""
    if file_system.startswith("fuse."):
        return file_system in _FIT_FUSE
    return file_system not in _UNFIT


def file_system(machine: Machine) -> str:
    """Name the type of the file system that the checkout lies on."""
    if machine.system == "Windows":
        return "ntfs"
    if machine.system != "Linux":
        return "unknown"
    mounts = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
    return file_system_of(machine.checkout, mounts)


def file_system_of(folder: Path, mountinfo: str) -> str:
    """Find the file system of a folder in the text of /proc/self/mountinfo."""
    depth, found = -1, "unknown"
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        if not after:
            continue
        point = Path(_unescape(before.split()[4]))
        # A later mount on the same folder hides the earlier one.
        if folder.is_relative_to(point) and len(point.parts) >= depth:
            depth, found = len(point.parts), after.split()[0]
    return found


def ca_bundle(environment: Mapping[str, str], bundles: Iterable[Path]) -> str:
    """Find the CA certificates this host trusts; empty where it does not say."""
    named = [Path(environment[name]) for name in _CA_VARIABLES if environment.get(name)]
    found = (path for path in (*named, *bundles) if path.is_file())
    path = next(found, None)
    return "" if path is None else str(path.absolute())


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
