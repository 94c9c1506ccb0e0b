"""The failures an operator can meet, one class for each exit code of the documentation."""

from __future__ import annotations

from backend.errors import ConfigurationError, MigrationError, SlipwayError

__all__ = [
    "ClientToolError",
    "ConfigurationError",
    "EngineError",
    "MigrationError",
    "RefusedError",
    "SlipwayError",
    "SourceError",
    "TargetError",
    "UsageError",
    "VerificationError",
]


class UsageError(SlipwayError):
    """The command was given something it cannot take."""

    exit_code = 1


class RefusedError(SlipwayError):
    """The command would lose something or cannot succeed, so nothing was begun."""

    exit_code = 3


class EngineError(SlipwayError):
    """Docker or Compose is absent, too old, or did not do what it was told."""

    exit_code = 4


class SourceError(SlipwayError):
    """The database that is read from cannot be used."""

    exit_code = 5


class TargetError(SlipwayError):
    """The database that is written to cannot be used."""

    exit_code = 6


class ClientToolError(SlipwayError):
    """A client tool such as pg_dump or pg_restore failed."""

    exit_code = 7


class SourceLostError(SourceError):
    """The source went away or could not be reached: another try may succeed."""


class TargetLostError(TargetError):
    """The target went away or could not be reached: another try may succeed."""


class ToolLostError(ClientToolError):
    """A client tool was ended from outside, or its container was: another try may succeed."""


class VerificationError(SlipwayError):
    """What arrived differs from what was sent; `differences` names everything."""

    exit_code = 8

    def __init__(self, message: str, hint: str, differences: tuple[str, ...]) -> None:
        super().__init__(message, hint)
        self.differences = differences
