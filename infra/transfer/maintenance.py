"""The maintenance connection of a long command, which a restart of the server does not end."""

from __future__ import annotations

import time
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import psycopg

from backend.config import Endpoint
from infra.errors import TargetLostError
from infra.postgres.connection import Connection
from infra.transfer import swap

_BACK_SECONDS = 60.0
_POLL_SECONDS = 0.5


class Maintenance:
    """Holds the lock on a server that one command at a time has; see `swap.maintenance`."""

    def __init__(self, superuser: Endpoint, command: str) -> None:
        self._superuser = superuser
        self._command = command
        self._stack = ExitStack()
        self.connection: Connection

    def __enter__(self) -> Self:
        self.connection = self._stack.enter_context(
            swap.maintenance(self._superuser, self._command)
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def ensure(self) -> None:
        """Connect again if the server went away, and wait a minute for it to come back."""
        if self._answers():
            return
        self._stack.close()
        deadline = time.monotonic() + _BACK_SECONDS
        while True:
            try:
                self.__enter__()
            except TargetLostError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_SECONDS)
            else:
                return

    def _answers(self) -> bool:
        try:
            self.connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True
