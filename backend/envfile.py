"""The `.env` file, read and written in the dialect that Docker Compose reads."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from backend import durable
from backend.errors import ConfigurationError

# What needs no quotes in any reader of such files.
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")
# Single quotes hold anything but these: Compose and python-dotenv disagree on them there.
_NOT_IN_SINGLE_QUOTES = re.compile(r"\\\\|\\'|\\$")
# Compose's escapes between double quotes: a letter, or a zero and an octal number.
_ESCAPE = re.compile(r'\\([abfnrtv$"\\]|0[0-7]{0,3})|\$\$')
_LETTERS = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True))
# A dollar sign that Compose would take for a variable.
_PLAIN_EXPANSION = re.compile(r"(?<!\$)\$(?:\$\$)*(?!\$)")
_EXPANSION = re.compile(r"(?<![\\$])(?:\\\\)*\$(?:\$\$)*(?!\$)")


def read(path: Path) -> dict[str, str]:
    """Read the file; raise one ConfigurationError that names every line Compose reads otherwise."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path.name} is missing",
            "Run `python3 scripts/bootstrap.py`, or copy .env.example to .env and fill it in.",
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(
            f"{path.name} is not UTF-8 text",
            "Save the file as UTF-8 in your editor.",
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"{path.name} cannot be read: {(error.strerror or 'unknown error').lower()}",
            f"Give your user the right to read {path}.",
        ) from None
    return parse(text, path.name)


def parse(text: str, name: str = ".env") -> dict[str, str]:
    """Turn the text into names and values, as Compose would."""
    values: dict[str, str] = {}
    problems: list[str] = []
    for binding in parse_stream(io.StringIO(text.replace("\r\n", "\n"))):
        # The parser counts the empty lines before a setting as the setting's own.
        string = binding.original.string
        empty = string[: len(string) - len(string.lstrip())].count("\n")
        line = binding.original.line + empty
        if binding.error:
            problems.append(f"line {line} is not of the form NAME=value")
        elif "\n" in string.strip():
            problems.append(f"line {line}: the quotes of {binding.key} are not closed")
        elif binding.key is not None:
            raw = _raw_value(binding)
            if _would_expand(raw):
                problems.append(f"line {line}: {binding.key} holds a $ that Compose expands")
            values[binding.key] = _unquote(raw)
    if problems:
        raise ConfigurationError(
            f"{name}: {'; '.join(problems)}",
            "Put values with special characters between single quotes.",
        )
    return values


def quote(value: str) -> str:
    r"""Write a value so that Compose reads it back unchanged.

    Without quotes or between single quotes python-dotenv agrees; the few values that single
    quotes cannot hold (a trailing backslash, `\\`, `\'`) go between double quotes.
    """
    if "\n" in value or "\r" in value or "\0" in value:
        raise ConfigurationError(
            "a value with a line end cannot stand in .env", "Choose a value of one line."
        )
    if _PLAIN.fullmatch(value):
        return value
    if not _NOT_IN_SINGLE_QUOTES.search(value):
        return "'" + value.replace("'", "\\'") + "'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    # A backslash before the closing quote is written as a number: readers differ on it.
    return '"' + re.sub(r"\\\\$", lambda _: r"\0134", escaped) + '"'


def update(path: Path, changes: Mapping[str, str]) -> None:
    """Set variables in the file, leaving every other line as it is; atomic, mode 0600."""
    text = path.read_bytes().decode("utf-8")
    ending = "\r\n" if "\r\n" in text else "\n"
    for name, value in changes.items():
        line = f"{name}={quote(value)}"
        pattern = re.compile(rf"^(?:export[ \t]+)?{re.escape(name)}[ \t]*=[^\r\n]*", re.MULTILINE)
        if pattern.search(text):
            text = pattern.sub(lambda _, line=line: line, text)  # type: ignore[misc]
        else:
            text += ("" if text.endswith("\n") or not text else ending) + line + ending
    durable.write(path, text)


def _raw_value(binding: Binding) -> str:
    _, _, value = binding.original.string.partition("=")
    return value.strip()


def _would_expand(raw: str) -> bool:
    if raw.startswith("'"):
        return False
    if raw.startswith('"'):
        return _EXPANSION.search(raw[1 : _closing(raw)]) is not None
    return _PLAIN_EXPANSION.search(_without_comment(raw)) is not None


def _unquote(raw: str) -> str:
    if raw.startswith("'"):
        return re.sub(r"\\'", "'", raw[1 : _closing(raw)])
    if raw.startswith('"'):
        return _ESCAPE.sub(_unescape, raw[1 : _closing(raw)])
    return _without_comment(raw).replace("$$", "$")


def _without_comment(raw: str) -> str:
    return raw.partition(" #")[0].rstrip()


def _closing(raw: str) -> int:
    """Find the closing quote: the first one that no backslash escapes."""
    found = re.match(rf"{raw[0]}(?:\\.|[^{raw[0]}\\])*", raw)
    return found.end() if found else len(raw)


def _unescape(match: re.Match[str]) -> str:
    code = match.group(1)
    if code is None:
        return "$"
    if code.startswith("0"):
        return chr(int(code, 8))
    return _LETTERS.get(code, code)
