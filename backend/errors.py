"""The base of every expected failure, with what the user needs to go on."""

from __future__ import annotations

from typing import ClassVar


class SlipwayError(Exception):
    """An expected failure: one line naming the object, a hint with the next step, an exit code."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigurationError(SlipwayError):
    """The settings cannot be used; the message lists every problem found."""

    exit_code = 2


class MigrationError(SlipwayError):
    """The schema could not be brought to, or compared with, what Alembic describes."""

    exit_code = 9
