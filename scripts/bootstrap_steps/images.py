"""The stack's images: pulled, or built from distribution packages where no registry is reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from infra.engine import images as built
from infra.errors import EngineError, RefusedError
from scripts.bootstrap_steps import env_file
from scripts.bootstrap_steps.machine import Machine

_DEFAULT_MAJOR = "14"
_DEFAULTS = {
    "DB_IMAGE": "timescale/timescaledb:latest-pg{major}",
    "REDIS_IMAGE": "redis:8-alpine",
    "PYTHON_IMAGE": "python:3.13-slim",
    "TOOLS_IMAGE": "postgres:17-alpine",
}
_BUILT_HERE = "slipway/"
# What .env names once `invoke build-images` has built them.
BUILT = {
    "DB_IMAGE": built.TIMESCALEDB,
    "PG_MAJOR": built.PG_MAJOR,
    "REDIS_IMAGE": built.REDIS,
    "PYTHON_IMAGE": built.PYTHON,
    "TOOLS_IMAGE": built.TOOLS,
}

Build = Callable[[], int]


def ensure(machine: Machine, env: Path, build: Build) -> None:
    """Have every image that .env names; `build` runs Invoke's build-images."""
    values = env_file.read(env)
    missing = _missing(machine, wanted(values))
    for position, image in enumerate(i for i in missing if not i.startswith(_BUILT_HERE)):
        machine.say(f"pulling {image}")
        if machine.terminal.attach(["docker", "pull", image]) == 0:
            continue
        # Only a first failure means that no registry is reached at all.
        if position > 0 or is_chosen(values):
            raise _not_pulled(image)
        _build_instead(machine, env, values, build)
        return
    if any(image.startswith(_BUILT_HERE) for image in missing):
        _build(machine, build)


def ensure_debootstrap(machine: Machine) -> None:
    """Have debootstrap, which makes the base of the images that are built here."""
    if machine.which("debootstrap"):
        return
    if machine.apt is None:
        raise EngineError(
            "images can be built from distribution packages on debian and ubuntu as root only",
            "Let Docker reach an image registry (its proxy or mirror settings), or run this as"
            " root on Debian or Ubuntu.",
        )
    machine.apt.install("debootstrap", "debian-archive-keyring")


def wanted(values: Mapping[str, str]) -> dict[str, str]:
    """Name the images of the stack; what .env leaves empty is the default."""
    return {name: _image(values, name) for name in _DEFAULTS}


def is_chosen(values: Mapping[str, str]) -> bool:
    """Tell whether the user has named an image other than the defaults."""
    return any(_image(values, name) != _default(values, name) for name in _DEFAULTS)


def refuse_other_major(checkout: Path, values: Mapping[str, str]) -> None:
    """Refuse where the data folder belongs to a PostgreSQL that the built image cannot read."""
    volume = values.get("DB_VOLUME") or "./data/db"
    if not volume.startswith((".", "/", "~")):
        return
    version = checkout / Path(volume).expanduser() / "pgdata" / "PG_VERSION"
    if not version.exists():
        return
    major = version.read_text("ascii").strip()
    if major != built.PG_MAJOR:
        raise RefusedError(
            f"{volume} holds data of postgresql {major}, the images built here are"
            f" postgresql {built.PG_MAJOR}",
            "Set DB_VOLUME in .env to a new folder, or let Docker reach an image registry.",
        )


def _missing(machine: Machine, images: Mapping[str, str]) -> list[str]:
    names = list(dict.fromkeys(images.values()))
    inspect = ["docker", "image", "inspect", "--format", "{{.Id}}"]
    if machine.terminal.run([*inspect, *names]).ok:
        return []
    return [name for name in names if not machine.terminal.run([*inspect, name]).ok]


def _build_instead(machine: Machine, env: Path, values: Mapping[str, str], build: Build) -> None:
    machine.say("no image registry can be reached: building the stack from distribution packages")
    refuse_other_major(machine.checkout, values)
    _build(machine, build)
    machine.say("writing the names of the built images into .env")
    env_file.update(env, BUILT)


def _build(machine: Machine, build: Build) -> None:
    ensure_debootstrap(machine)
    code = build()
    if code != 0:
        raise EngineError(
            f"the images cannot be built (exit code {code})",
            "Settle what `invoke build-images` says above, then run this again.",
        )


def _image(values: Mapping[str, str], name: str) -> str:
    image = values.get(name) or _default(values, name)
    return image.replace("${PG_MAJOR}", _major(values))


def _default(values: Mapping[str, str], name: str) -> str:
    return _DEFAULTS[name].format(major=_major(values))


def _major(values: Mapping[str, str]) -> str:
    return values.get("PG_MAJOR") or _DEFAULT_MAJOR


def _not_pulled(image: str) -> EngineError:
    return EngineError(
        f"the image {image} cannot be pulled",
        "Check its name in .env and Docker's access to the registry, then run this again.",
    )
