"""Named values that are read one by one, and what is wrong with any of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from backend import trust
from backend.errors import ConfigurationError

PLACEHOLDER = "change-me"

_HIGHEST_PORT = 65535


class Variables:
    """Named values that collect their problems, to be raised together.

    Relative paths among them begin at `folder`, which is where `.env` lies.
    """

    def __init__(self, values: Mapping[str, str], folder: Path) -> None:
        self._values = values
        self._folder = folder
        self._problems: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        """Return the value; an empty one counts as missing."""
        return self._values.get(name, "").strip("\r\n") or default

    def required(self, name: str) -> str:
        """Return the value, or note that it is missing or still the example's."""
        value = self.text(name)
        if not value:
            self.problem(f"{name} is missing")
        elif value == PLACEHOLDER:
            self.problem(f"{name} is still the placeholder {PLACEHOLDER!r}")
        return value

    def port(self, name: str, default: int) -> int:
        """Return a TCP port."""
        value = self.text(name, str(default))
        if value.isascii() and value.isdigit() and 0 < int(value) <= _HIGHEST_PORT:
            return int(value)
        self.problem(f"{name} is not a port number: {value!r}")
        return default

    def choice(self, name: str, options: tuple[str, ...], default: str) -> str:
        """Return one of the options."""
        value = self.text(name, default)
        if value not in options:
            self.problem(f"{name} is {value!r}, not one of {', '.join(options)}")
            return default
        return value

    def certificates(self, name: str) -> str:
        """Return the path of a file of CA certificates, `system` for the machine's, or nothing."""
        value = self.text(name)
        if value in {"", trust.SYSTEM}:
            return value
        # As Compose reads it, which knows no other user's home.
        path = self._folder / (Path(value).expanduser() if value.startswith("~/") else value)
        fault = trust.fault(path)
        if fault:
            self.problem(f"{name} {fault}: {value!r}")
        return str(path)

    def problem(self, text: str) -> None:
        """Note something that cannot be used."""
        self._problems.append(text)

    def check(self) -> None:
        """Raise one ConfigurationError with all that was noted."""
        if self._problems:
            raise ConfigurationError(
                "settings cannot be used: " + "; ".join(self._problems),
                "Correct these lines in .env; .env.example explains each of them.",
            )
