#!/usr/bin/env python3
"""Take a fresh machine to the running stack: `python3 scripts/bootstrap.py [TASK ...]`.

Makes the virtual environment, .env, and where it can the Docker engine, Compose and the images;
then runs `invoke TASK ...` (default `up`) and returns its exit code. A second run is fast.
"""

import sys
from pathlib import Path

# First of all, so that an older Python says this instead of failing in an import.
if sys.version_info < (3, 11):  # noqa: UP036 - whoever runs this script may well have an older one
    sys.stderr.write(
        "error: python %d.%d is too old, 3.11 or newer is needed\n"  # noqa: UP031
        "HINT: Install Python 3.11 or newer and run this script with it.\n" % sys.version_info[:2]
    )
    sys.exit(2)

CHECKOUT = Path(__file__).resolve().parent.parent
# As a script, only this file's own folder is importable.
sys.path.insert(0, str(CHECKOUT))

from collections.abc import Sequence  # noqa: E402
from dataclasses import dataclass  # noqa: E402

from infra.errors import SlipwayError  # noqa: E402
from scripts.bootstrap_steps import engine, env_choices, env_file, images, plugins  # noqa: E402
from scripts.bootstrap_steps.machine import Machine, detect  # noqa: E402
from scripts.bootstrap_steps.virtualenv import Virtualenv  # noqa: E402

_INTERRUPTED = 130
_INFORMATION = {"-h", "-l", "-V", "--help", "--list", "--version"}
_DEVELOPMENT = {"bench", "lint", "test"}


@dataclass(frozen=True)
class Needs:
    """What Invoke's words need to be in place before Invoke starts."""

    requirements: str = "operator.txt"
    stack: bool = True
    images: bool = True


def needs_of(words: Sequence[str]) -> Needs:
    """Decide what the words for Invoke need; what is not known here may need everything."""
    tasks = {word for word in words if not word.startswith("-")}
    requirements = "development.txt" if tasks & _DEVELOPMENT else "operator.txt"
    informs = words[0] in _INFORMATION or bool({"--help", "--list"} & {*words})
    if informs or tasks == {"lint"}:
        return Needs(requirements, stack=False, images=False)
    return Needs(requirements, images=not tasks <= {"lint", "build-images"})


def bootstrap(machine: Machine, words: Sequence[str]) -> int:
    """Put in place what the words need, then run them with Invoke and return its exit code."""
    needs = needs_of(words)
    virtualenv = Virtualenv(machine)
    virtualenv.ensure(needs.requirements)
    if needs.stack:
        env = env_file.ensure(machine, env_choices.choose)
        engine.ensure(machine)
        plugins.ensure(machine)
        if needs.images:
            images.ensure(machine, env, lambda: virtualenv.invoke(["build-images"]))
        else:
            images.ensure_debootstrap(machine)
    return virtualenv.invoke(words)


def main(words: Sequence[str]) -> int:
    """Run the bootstrap; an expected failure becomes a line, a hint and an exit code."""
    try:
        return bootstrap(detect(CHECKOUT, _say), words or ["up"])
    except SlipwayError as error:
        return _fail(error.message, error.hint, error.exit_code)
    except OSError as error:
        subject = f"{error.filename}: " if error.filename else ""
        return _fail(
            f"{subject}{(error.strerror or str(error)).lower()}",
            "Set right what this names (disk space, permissions), then run this again.",
            1,
        )
    except KeyboardInterrupt:
        return _INTERRUPTED


def _say(line: str) -> None:
    # Flushed, because the programs that run next write to the same terminal by themselves.
    print(f"bootstrap: {line}", flush=True)


def _fail(message: str, hint: str, exit_code: int) -> int:
    print(f"error: {message}\nHINT: {hint}", file=sys.stderr)
    return exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
