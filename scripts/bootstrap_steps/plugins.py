"""Docker's plugins Compose and buildx, new enough for the stack."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.errors import EngineError
from scripts.bootstrap_steps.apt import Apt
from scripts.bootstrap_steps.engine import installation
from scripts.bootstrap_steps.machine import Machine

Version = tuple[int, ...]

# Where the Docker client looks for plugins that no package of the system owns.
FOLDER = Path("/usr/local/lib/docker/cli-plugins")
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# The first Debian release whose Compose is version 2; its programs run on the release before, too.
_NEWER_RELEASE = "trixie"


@dataclass(frozen=True)
class Plugin:
    """A plugin of the Docker client, what will do, and the packages that may bring it."""

    program: str
    title: str
    minimum: Version
    ask_version: tuple[str, ...]
    # Docker's own package first: it is on offer only where the user has added Docker's source.
    packages: tuple[str, ...]


COMPOSE = Plugin(
    program="docker-compose",
    title="docker compose 2.24 or newer",
    minimum=(2, 24),
    ask_version=("docker", "compose", "version", "--short"),
    packages=("docker-compose-plugin", "docker-compose-v2", "docker-compose"),
)
BUILDX = Plugin(
    program="docker-buildx",
    title="docker's plugin buildx",
    # Any version knows build secrets.
    minimum=(),
    ask_version=("docker", "buildx", "version"),
    packages=("docker-buildx-plugin", "docker-buildx"),
)


def ensure(machine: Machine, folder: Path = FOLDER) -> None:
    """Have Compose and buildx in versions that will do, or stop with what to install."""
    missing = [plugin for plugin in (COMPOSE, BUILDX) if not is_present(machine, plugin)]
    if not missing:
        return
    if machine.apt is None:
        raise _absent(missing[0], f"{_installation(machine)}; then run this again.")
    packages = [offered(machine.apt, plugin) for plugin in missing]
    from_release = [package for package in packages if package]
    if from_release:
        machine.apt.install(*from_release)
    without = [plugin for plugin, package in zip(missing, packages, strict=True) if not package]
    if without:
        _take_from_newer_release(machine, machine.apt, without, folder)
    for plugin in missing:
        if not is_present(machine, plugin):
            raise _absent(
                plugin,
                "Remove an older one that `docker info` lists under Plugins, then run this again.",
            )


def is_present(machine: Machine, plugin: Plugin) -> bool:
    """Tell whether the Docker client has the plugin in a version that will do."""
    answer = machine.terminal.run(plugin.ask_version)
    return answer.ok and version_of(answer.stdout) >= plugin.minimum


def offered(apt: Apt, plugin: Plugin) -> str | None:
    """Return the package of the machine's own sources whose version will do."""
    for package in plugin.packages:
        candidate = apt.candidate(package)
        if candidate and version_of(candidate) >= plugin.minimum:
            return package
    return None


def version_of(text: str) -> Version:
    """Read the numbers of a version such as `v2.26.1-4` or `5:2.35.1`; empty without any."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(number) for number in found[0].split(".")) if found else ()


def mirror(targets: str) -> str | None:
    """Choose Debian's main archive among the lines `uri|origin|label|component`."""
    for line in targets.splitlines():
        uri, *kind = line.split("|")
        if kind == ["Debian", "Debian", "main"] and not uri.startswith("cdrom:"):
            return uri
    return None


def isolated(state: Path) -> list[str]:
    """Build the options that keep apt-get to one folder, away from the system's own state."""
    settings = {
        "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State": state / "state",
        "Dir::State::lists": state / "lists",
        "Dir::State::status": state / "status",
        "Dir::Cache": state / "cache",
        "APT::Default-Release": "",
    }
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def _take_from_newer_release(
    machine: Machine, apt: Apt, plugins: Sequence[Plugin], folder: Path
) -> None:
    uri = _debian_mirror(machine, apt)
    if uri is None:
        raise _absent(plugins[0], f"{_installation(machine)}; then run this again.")
    programs = [plugin.program for plugin in plugins]
    machine.say(f"taking {' and '.join(programs)} from Debian's {_NEWER_RELEASE} into {folder}")
    if not _KEYRING.exists():
        apt.install("debian-archive-keyring")
    with tempfile.TemporaryDirectory() as name:
        state = Path(name)
        # apt-get fetches as a user of its own, who must be able to enter.
        state.chmod(0o755)
        _prepare(state, uri)
        _download(apt, state, programs)
        for package in sorted(state.glob("*.deb")):
            _unpack(machine, package, state / "unpacked")
        for program in programs:
            _copy(state / "unpacked/usr/libexec/docker/cli-plugins" / program, folder)


def _debian_mirror(machine: Machine, apt: Apt) -> str | None:
    if machine.release.get("ID") != "debian":
        return None
    columns = "$(REPO_URI)|$(ORIGIN)|$(LABEL)|$(COMPONENT)"
    return mirror(apt.get("indextargets", "--format", columns, "Created-By: Packages").stdout)


def _prepare(state: Path, uri: str) -> None:
    source = f"deb [signed-by={_KEYRING}] {uri} {_NEWER_RELEASE} main\n"
    (state / "sources.list").write_text(source, "ascii")
    # Nothing counts as installed, so that no version on the system stands in the way.
    (state / "status").touch()
    for made in ("lists/partial", "cache/archives/partial", "state"):
        (state / made).mkdir(parents=True)


def _download(apt: Apt, state: Path, packages: Sequence[str]) -> None:
    # `apt-get download` puts the packages into the working directory.
    with contextlib.chdir(state):
        for words in (["update"], ["download", *packages]):
            done = apt.get(*isolated(state), *words)
            if not done.ok:
                raise EngineError(
                    f"{' and '.join(packages)} cannot be fetched: {done.stderr.strip()}",
                    "Settle what apt-get says, or install Docker Compose 2.24 or newer by hand.",
                )


def _unpack(machine: Machine, package: Path, folder: Path) -> None:
    done = machine.terminal.run(["dpkg-deb", "-x", str(package), str(folder)])
    if not done.ok:
        raise EngineError(
            f"{package.name} cannot be unpacked: {done.stderr.strip()}",
            "Free disk space under the folder for temporary files, then run this again.",
        )


def _copy(program: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # A new name first: Docker never meets half a program.
    temporary = folder / f".{program.name}.new"
    shutil.copyfile(program, temporary)
    temporary.chmod(0o755)
    temporary.replace(folder / program.name)


def _absent(plugin: Plugin, hint: str) -> EngineError:
    return EngineError(f"{plugin.title} is missing", hint)


def _installation(machine: Machine) -> str:
    if machine.system in {"Darwin", "Windows"}:
        return "Update Docker Desktop"
    return installation(machine)
