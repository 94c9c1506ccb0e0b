"""The pump: rows go from one database to another by pairs of psql; Python sees none of them."""

from __future__ import annotations

import base64
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from docker.errors import DockerException

from backend.config import Secret
from backend.reachability import another_try
from infra.engine.client import Engine
from infra.errors import (
    ClientToolError,
    SlipwayError,
    SourceError,
    SourceLostError,
    TargetError,
    TargetLostError,
    ToolLostError,
)
from infra.process import Conversation, Runner

SCRIPT = Path(__file__).with_name("pump.sh").read_text(encoding="utf-8")

# psql reads all rows even after the server's error. `exit_on_error` would end it at once, but for
# errors too that a function of the database expects and handles.
_TARGET = "BEGIN; "

# Linux takes no longer word in the arguments of a program. Bytes.
_LONGEST = 128 * 1024 - 1

# A shell's exit code of a program that a signal has ended is this, and the signal's number.
_SIGNAL = 128

# What a psql says whose partner has gone, where the signal for that is ignored.
_BROKEN_PIPE = "could not write COPY data"

# psql's exit code when it has no connection, or none any more.
_NO_CONNECTION = 2

_SAID = re.compile(
    r"^(?:ERROR|FATAL|PANIC):  ([0-9A-Z]{5}): (.*?)"
    r"(?=^(?:DETAIL|HINT|QUERY|CONTEXT|LINE \d+|LOCATION|[A-Z]+ NAME):|\Z)",
    re.MULTILINE | re.DOTALL,
)
# 55P03 is a lock that somebody has waited for longer than we have: our snapshot is in his way, and
# the next attempt has another one.
_LOST = re.compile(r"08...|57P0[123]|55P03")
# After a restart the snapshot is gone, whose error has no SQLSTATE of its own.
_SNAPSHOT_GONE = re.compile(r"^LOCATION:  ImportSnapshot,", re.MULTILINE)

# Before there is a connection psql shows no SQLSTATE. Whoever asks again after one of these is
# refused again, or locked out.
_REFUSED = re.compile(
    r"authentication failed|no pg_hba\.conf entry|pg_hba\.conf rejects|no password supplied"
    r"|does not exist|not permitted to log ?in|permission denied"
    r"|not currently accepting connections|Tenant or user not found|server does not support SSL"
    r"|certificate"
)


@dataclass(frozen=True)
class Access:
    """A server of the pump: libpq's parameters apart from the database, and the password."""

    parameters: Mapping[str, str]
    password: Secret


@dataclass(frozen=True)
class End:
    """One side of a copy: SQL that psql sends as one string.

    The source's ends with COPY … TO STDOUT and prints nothing else. The target's, COPY … FROM STDIN
    among them, stands in a transaction that the pump commits once the source has succeeded.
    """

    database: str
    statements: str


@dataclass(frozen=True)
class _Side:
    """What became of one psql; `code` is the shell's."""

    failed: type[SlipwayError]
    lost: type[SlipwayError]
    code: int
    complaint: str

    @property
    def failed_by_itself(self) -> bool:
        return 0 < self.code < _SIGNAL and _BROKEN_PIPE not in self.complaint

    def error(self) -> SlipwayError:
        said = list(_SAID.finditer(self.complaint))
        if said:
            state, message = said[-1].group(1), " ".join(said[-1].group(2).split())
            lost = bool(_LOST.fullmatch(state) or _SNAPSHOT_GONE.search(self.complaint))
            hint = f"The server's code for this is SQLSTATE {state}."
        else:
            message = _unexplained(self.complaint) or f"psql ended with exit code {self.code}"
            hopeless = _REFUSED.search(message) or another_try(self.complaint) is False
            lost = self.code == _NO_CONNECTION and not hopeless
            hint = "Look at the server's log, and check that it can be reached."
        return (self.lost if lost else self.failed)(message, hint)


class Pump:
    """One worker's container, used for copy after copy; leaving the block ends it.

    The container starts with the first copy, and anew with the next one after it was lost;
    `command` builds its command line for a name.
    """

    def __init__(
        self,
        runner: Runner,
        engine: Engine,
        command: Callable[[str], list[str]],
        *,
        source: Access,
        target: Access,
    ) -> None:
        self._runner = runner
        self._engine = engine
        self._command = command
        self._name = ""
        self._source = source
        self._target = target
        self._conversation: Conversation | None = None
        self._lock = threading.Lock()
        self._stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._leave()

    def copy(self, source: End, target: End) -> None:
        """Copy to the end and commit, or leave no row; SourceError, TargetError, ClientToolError.

        Their `…LostError` variants mean that another try may succeed. A TargetLostError leaves open
        whether the commit, if it had come to that, was carried out.
        """
        request = " ".join(
            [
                _word(_conninfo(self._source, source.database)),
                _word(_statements(source)),
                _word(_conninfo(self._target, target.database)),
                _word(_statements(target, _TARGET)),
            ]
        )
        try:
            answer = self._ask(request)
        except BaseException:
            # Whatever is answered later answers no later request.
            self._leave()
            raise
        _judge(answer)

    def stop(self) -> None:
        """End the container at once, from any thread; a copy in progress raises ToolLostError."""
        with self._lock:
            self._stopped = True
            conversation = self._conversation
        if conversation is not None:
            self._remove_container()
            conversation.end()

    def _ask(self, request: str) -> str:
        conversation = self._conversation or self._start()
        conversation.tell([request])
        answer = conversation.hear()
        if answer is None:
            raise self._gone(conversation)
        return answer

    def _start(self) -> Conversation:
        with self._lock:
            if self._stopped:
                raise ToolLostError("the pump was stopped", "Make a new one to go on.")
            # The name of a lost container may be in use still.
            self._name = f"slipway-tool-{secrets.token_hex(6)}"
            self._conversation = conversation = self._runner.converse(self._command(self._name))
        conversation.tell([self._source.password.reveal(), self._target.password.reveal()])
        if conversation.hear() is None:
            raise self._gone(conversation)
        return conversation

    def _gone(self, conversation: Conversation) -> ToolLostError:
        lines = [] if self._stopped else conversation.complaint.splitlines()
        reason = f": {lines[0].rstrip('.')}" if lines else ""
        return ToolLostError(
            f"the client-tool container {self._name} has ended{reason}",
            "Look at `docker info` and at the memory that is left.",
        )

    def _leave(self) -> None:
        with self._lock:
            conversation, self._conversation = self._conversation, None
        if conversation is not None:
            with conversation:
                pass
            self._remove_container()

    def _remove_container(self) -> None:
        # The engine's own trouble must not hide why this ended.
        with suppress(DockerException):
            self._engine.remove_container(self._name)


def _judge(answer: str) -> None:
    source_code, source_complaint, target_code, target_complaint = answer.split(" ")
    source = _Side(SourceError, SourceLostError, int(source_code), _text(source_complaint))
    target = _Side(TargetError, TargetLostError, int(target_code), _text(target_complaint))
    if source.code == target.code == 0:
        return
    errors = [side.error() for side in (source, target) if side.failed_by_itself]
    if not errors:
        raise ToolLostError(
            "psql was killed", "Look at the memory that is left: `docker info`, `free -m`."
        )
    # Both of them: what no other try will cure is the one to tell.
    raise min(errors, key=lambda error: isinstance(error, (SourceLostError, TargetLostError)))


def _text(complaint: str) -> str:
    return base64.b64decode(complaint.strip("[]")).decode(errors="replace")


def _unexplained(complaint: str) -> str:
    lines = complaint.rstrip().splitlines()
    for mark in ("FATAL:  ", "psql: error: "):
        for line in lines:
            if mark in line:
                return line.partition(mark)[2].rstrip(".")
    return lines[-1].rstrip(".") if lines else ""


def _statements(end: End, prefix: str = "") -> str:
    # psql would take such a word for a command of its own.
    if end.statements.startswith("\\") or "\0" in end.statements:
        raise ValueError(end.statements)
    statements = prefix + end.statements
    if len(statements.encode()) >= _LONGEST:
        raise ClientToolError(
            "a statement that copies a table is longer than 128 kB",
            "Shorten the names of the columns of the table with the most of them.",
        )
    return statements


def _conninfo(access: Access, database: str) -> str:
    parameters = {**access.parameters, "dbname": database}
    return " ".join(f"{name}={_quoted(value)}" for name, value in parameters.items())


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _word(text: str) -> str:
    # For printf's %b. The full stop shows that the word arrived whole.
    return re.sub(
        rb"[^\w,()=]", lambda found: b"\\0%03o" % found[0][0], f"{text}.".encode()
    ).decode()
