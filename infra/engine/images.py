"""Builds the stack's images from a distribution's packages, for hosts that cannot pull any."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.errors import EngineError, UsageError
from infra.process import Completed, Runner

PG_MAJOR = "17"
TIMESCALEDB_VERSION = "2.19.3"

BASE = "slipway/base:trixie"
BASE_BOOKWORM = "slipway/base:bookworm"
TIMESCALEDB = f"slipway/timescaledb:{TIMESCALEDB_VERSION}-pg{PG_MAJOR}"
REDIS = "slipway/redis:8"
PYTHON = "slipway/python:3.13"
TOOLS = f"slipway/tools:{PG_MAJOR}"
POSTGRES_15 = "slipway/postgres:15"
POSTGRES_17 = "slipway/postgres:17"
HOSTED = f"slipway/hosted:{PG_MAJOR}"

LABEL = "io.slipway.project=slipway"

# debootstrap's second stage makes device nodes, which a /tmp in memory refuses.
_SCRATCH = "/var/tmp"  # noqa: S108 - a fresh private directory is made below it

# Of this machine or of the installation, not of the system: names, logs, package indexes, manuals.
_LEFT_OUT = (
    "./dev/*",
    "./etc/hostname",
    "./etc/machine-id",
    "./etc/resolv.conf",
    "./run/*",
    "./usr/share/info/*",
    "./usr/share/locale/*",
    "./usr/share/man/*",
    "./var/cache/apt/*",
    "./var/cache/debconf/*-old",
    "./var/lib/apt/lists/*",
    "./var/log/*",
)

# How many lines of a failed build its error shows.
_TAIL = 15

_SERVER_PACKAGES = (
    f"postgresql-{PG_MAJOR}",
    f"postgresql-{PG_MAJOR}-timescaledb",
    f"postgresql-{PG_MAJOR}-pgvector",
)


@dataclass(frozen=True)
class Image:
    """An image built from a folder of infra/images on top of a base; args are its build args."""

    tag: str
    folder: str
    args: tuple[tuple[str, str], ...] = ()
    base: str = BASE


STACK_IMAGES = (
    Image(
        TIMESCALEDB,
        "postgres",
        (
            ("PG_MAJOR", PG_MAJOR),
            ("PACKAGES", " ".join(_SERVER_PACKAGES)),
            ("TIMESCALEDB_VERSION", TIMESCALEDB_VERSION),
        ),
    ),
    Image(REDIS, "redis"),
    Image(PYTHON, "python"),
    Image(TOOLS, "tools", (("PG_MAJOR", PG_MAJOR),)),
)

# Servers that only tests start: another major version than the stack's, one without extensions, and
# one that loads TimescaleDB only where it is told to, with the pooler that hosted servers have.
TEST_IMAGES = (
    Image(
        POSTGRES_15,
        "postgres",
        (("PG_MAJOR", "15"), ("PACKAGES", "postgresql-15")),
        BASE_BOOKWORM,
    ),
    Image(POSTGRES_17, "postgres", (("PG_MAJOR", "17"), ("PACKAGES", "postgresql-17"))),
    Image(
        HOSTED,
        "postgres",
        (("PG_MAJOR", PG_MAJOR), ("PACKAGES", " ".join((*_SERVER_PACKAGES, "pgbouncer")))),
    ),
)

ALL_TAGS = tuple(image.tag for image in (*STACK_IMAGES, *TEST_IMAGES))


def build_images(
    runner: Runner,
    *,
    root: Path,
    report: Callable[[str], None],
    only: Sequence[str] = (),
) -> None:
    """Build the stack's images, or those whose tags are named, each after its base.

    A base that exists is kept; the others are left to Docker's cache. `root` is the checkout.
    """
    images = _select(only)
    for base in dict.fromkeys(image.base for image in images):
        if _exists(runner, base):
            report(f"{base} is there already")
        else:
            report(f"building {base}")
            _build_base(runner, base)
    for image in images:
        report(f"building {image.tag}")
        built = runner.run(docker_build(image, root=root), env={"DOCKER_BUILDKIT": "1"})
        _require(built, f"image {image.tag} could not be built")


def debootstrap(suite: str, directory: Path) -> list[str]:
    """Install a minimal Debian from the default mirror into a directory."""
    return ["debootstrap", "--variant=minbase", suite, str(directory)]


def tar(directory: Path) -> list[str]:
    """Write an installed system to standard output, without what belongs to this machine."""
    excluded = [f"--exclude={pattern}" for pattern in _LEFT_OUT]
    return ["tar", "--create", "--numeric-owner", f"--directory={directory}", *excluded, "."]


def docker_import(tag: str) -> list[str]:
    """Make an image of a system that arrives on standard input."""
    return ["docker", "import", "--change", f"LABEL {LABEL}", "--change", 'CMD ["bash"]', "-", tag]


def docker_build(image: Image, *, root: Path) -> list[str]:
    """Build an image of packages, whose signatures need no certificate authority."""
    args = [
        word
        for name, value in (("BASE", image.base), *image.args)
        for word in ("--build-arg", f"{name}={value}")
    ]
    context = str(root / "infra" / "images" / image.folder)
    return ["docker", "build", "--progress", "plain", "--tag", image.tag, *args, context]


def docker_find(tag: str) -> list[str]:
    """Print the id of an image, or nothing where there is none."""
    return ["docker", "image", "ls", "--quiet", "--filter", f"reference={tag}"]


def security_sources(sources: str, suite: str) -> str:
    """Return the package sources of a suite's fixes, on the mirror that `sources` names.

    debootstrap knows a release as it was at its last point release; fixes of PostgreSQL appear in
    the security suite weeks before they are in the next one.
    """
    mirror = re.findall(r"https?://\S+", sources)[0].rstrip("/")
    return f"deb {mirror}-security {suite}-security main\ndeb {mirror} {suite}-updates main\n"


def _select(only: Sequence[str]) -> list[Image]:
    known = {image.tag: image for image in (*STACK_IMAGES, *TEST_IMAGES)}
    unknown = [tag for tag in only if tag not in known]
    if unknown:
        raise UsageError(f"no such image: {', '.join(unknown)}", f"Choose from {', '.join(known)}.")
    return [image for tag, image in known.items() if tag in only] or list(STACK_IMAGES)


def _exists(runner: Runner, tag: str) -> bool:
    found = runner.run(docker_find(tag))
    _require(found, "docker does not answer")
    return bool(found.stdout.strip())


def _build_base(runner: Runner, tag: str) -> None:
    if runner.run(["id", "-u"]).stdout.strip() != "0":
        raise EngineError(
            f"image {tag} can only be built by root",
            "Run the same command with sudo; debootstrap makes device nodes and changes root.",
        )
    suite = tag.partition(":")[2]
    with tempfile.TemporaryDirectory(prefix="slipway-", dir=_SCRATCH) as scratch:
        system = Path(scratch)
        # What tar writes for "." is the root directory of the image.
        system.chmod(0o755)
        installed = runner.run(debootstrap(suite, system))
        _require(installed, f"debootstrap could not install {suite}")
        _configure(system, suite)
        _require(runner.pipe(tar(system), docker_import(tag)), f"image {tag} could not be imported")


def _configure(system: Path, suite: str) -> None:
    apt = system / "etc/apt"
    sources = [*apt.glob("sources.list"), *apt.glob("sources.list.d/*.sources")]
    text = "".join(path.read_text() for path in sources)
    (apt / "sources.list.d").mkdir(exist_ok=True)
    (apt / "sources.list.d/fixes.list").write_text(security_sources(text, suite))
    (apt / "apt.conf.d").mkdir(exist_ok=True)
    (apt / "apt.conf.d/90slipway").write_text('Acquire::Languages "none";\n')
    # An interrupted build is thrown away, so nothing is gained by writing each file through.
    (system / "etc/dpkg/dpkg.cfg.d").mkdir(parents=True, exist_ok=True)
    (system / "etc/dpkg/dpkg.cfg.d/90slipway").write_text("force-unsafe-io\n")
    # A package that is installed in a build must not start its server there.
    policy = system / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)


def _require(completed: Completed, message: str) -> None:
    if completed.ok:
        return
    program = completed.argv[0]
    if completed.returncode == 127:  # noqa: PLR2004 - a shell's code for a missing program
        raise EngineError(f"{message}: {program} is not installed", f"Install {program}.")
    # debootstrap complains on standard output, Docker on standard error.
    lines = (completed.stdout + completed.stderr).strip().splitlines()[-_TAIL:]
    raise EngineError(
        f"{message}: {program} ended with exit code {completed.returncode}",
        "\n".join(["Read its last lines:", *lines]),
    )
