"""The .env file: made from .env.example once, afterwards changed line by line only."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from infra.errors import ConfigurationError
from scripts.bootstrap_steps.machine import Machine

_PLACEHOLDER = "change-me"
# Their secrets exist elsewhere already: the user fills them in.
_GIVEN_ELSEWHERE = ("SOURCE_", "SUPABASE_", "NEON_")
_ASSIGNMENT = re.compile(
    r"^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=([^\r\n]*)", re.MULTILINE
)
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")


@dataclass(frozen=True)
class Choice:
    """A value that fits this machine, and why it is not the example's."""

    value: str
    reason: str | None = None


Choices = Mapping[str, Choice]


def ensure(machine: Machine, choose: Callable[[Machine, Mapping[str, str]], Choices]) -> Path:
    """Make .env from .env.example, unless there is one; return its path."""
    env, example = machine.checkout / ".env", machine.checkout / ".env.example"
    if env.exists():
        read(env)
        return env
    if not example.exists():
        raise ConfigurationError(
            ".env.example is missing", "Restore it with `git checkout .env.example`."
        )
    text = _text(example)
    choices = choose(machine, parse(text))
    machine.say("writing .env with generated passwords")
    for name, choice in choices.items():
        if choice.reason:
            machine.say(f"{name}={choice.value}: {choice.reason}")
    write(env, fill(text, choices, lambda: secrets.token_urlsafe(24)))
    return env


def fill(example: str, choices: Choices, token: Callable[[], str]) -> str:
    """Turn the example's text into this machine's: the choices, and a token for each secret."""

    def replace(match: re.Match[str]) -> str:
        name, value = match[1], match[2].strip()
        if name in choices:
            choice = choices[name]
            comment = f"# {choice.reason}\n" if choice.reason else ""
            return f"{comment}{name}={_quote(choice.value)}"
        if value == _PLACEHOLDER and not name.startswith(_GIVEN_ELSEWHERE):
            return f"{name}={token()}"
        return match[0]

    return _ASSIGNMENT.sub(replace, example)


def read(path: Path) -> dict[str, str]:
    """Read the names and values of a file."""
    return parse(_text(path))


def parse(text: str) -> dict[str, str]:
    """Read names and values; enough of the dialect for ports, images and volumes."""
    return {match[1]: _unquote(match[2].strip()) for match in _ASSIGNMENT.finditer(text)}


def set_values(text: str, values: Mapping[str, str]) -> str:
    """Set variables in the text, leaving everything else as it is."""
    ending = "\r\n" if "\r\n" in text else "\n"
    for name, value in values.items():
        line = f"{name}={_quote(value)}"
        # Of several lines for one name the last one counts.
        found = [match for match in _ASSIGNMENT.finditer(text) if match[1] == name]
        if found:
            text = text[: found[-1].start()] + line + text[found[-1].end() :]
        else:
            text += ("" if not text or text.endswith("\n") else ending) + line + ending
    return text


def update(path: Path, values: Mapping[str, str]) -> None:
    """Set variables in an existing file."""
    write(path, set_values(_text(path), values))


def write(path: Path, text: str) -> None:
    """Put the text in the file's place in one step, readable for its owner only."""
    # A link stays a link: what it points to is replaced.
    path = path.resolve()
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(text.encode("utf-8", "surrogateescape"))
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise


def _text(path: Path) -> str:
    try:
        # Bytes that are no UTF-8 survive a round trip.
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise ConfigurationError(
            f"{path.name} cannot be read: {(error.strerror or str(error)).lower()}",
            f"Make {path} a file that your user may read.",
        ) from None


def _quote(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else "'" + value.replace("'", "\\'") + "'"


def _unquote(raw: str) -> str:
    for quote in "'\"":
        if raw.startswith(quote) and quote in raw[1:]:
            return raw[1 : raw.index(quote, 1)]
    return re.sub(r"(?:^|\s+)#.*", "", raw)
