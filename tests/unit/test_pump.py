from __future__ import annotations

import base64
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from backend.config import Endpoint, Secret
from infra.engine import tools
from infra.engine.pump import SCRIPT, End, Pump
from infra.engine.tools import ClientTools, Server
from infra.errors import (
    ClientToolError,
    SlipwayError,
    SourceError,
    SourceLostError,
    TargetError,
    TargetLostError,
    ToolLostError,
)
from infra.process import Conversation, SubprocessRunner
from tests.unit.conftest import FakeEngine, RecordingRunner

SOURCE = Server("host", "a.example", 6000, "o'reader", "require", Secret("first"))
TARGET = Server("host", "::1", 5432, "owner", "prefer", Secret("second"))

LOST = "server closed the connection unexpectedly\n\tor not\nconnection to server was lost\n"


class Spoken(Conversation):
    """Answers what it was given, and remembers what it was told."""

    def __init__(self, answers: Iterable[str | BaseException | None]) -> None:
        self.answers = list(answers)
        self.told: list[str] = []
        self.ended = 0
        self.left = 0

    def __exit__(self, *exception: object) -> None:
        self.left += 1

    def tell(self, lines: Iterable[str]) -> None:
        self.told += lines

    def hear(self) -> str | None:
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def end(self) -> None:
        self.ended += 1

    @property
    def complaint(self) -> str:
        return "docker: no such image.\nSee 'docker run --help'.\n"


@dataclass
class Host(RecordingRunner):
    """Starts one conversation after the other."""

    conversations: list[Spoken] = field(default_factory=list)
    started: list[list[str]] = field(default_factory=list)

    def converse(self, argv: Sequence[str]) -> Conversation:
        self.started.append(list(argv))
        return self.conversations[len(self.started) - 1]


def pump(*conversations: Spoken, engine: FakeEngine | None = None) -> tuple[Pump, Host]:
    host = Host(conversations=list(conversations))
    return ClientTools(host, engine or FakeEngine(), "image").pump(SOURCE, TARGET), host


def copy(made: Pump, source: str = "COPY a TO STDOUT", target: str = "COPY a FROM STDIN") -> None:
    made.copy(End("one", source), End("two", target))


def answer(source: int, complaint: str, target: int, other: str = "") -> str:
    words = [base64.b64encode(text.encode()).decode() for text in (complaint, other)]
    return f"{source} [{words[0]}] {target} [{words[1]}]"


def unescaped(word: str) -> str:
    """Read a word as printf's %b does."""
    run = SubprocessRunner().run(["/bin/sh", "-c", 'printf %b "$1"', "sh", word])
    assert run.ok
    return run.stdout


def test_the_container_is_one_of_the_hosts_network_without_a_mount() -> None:
    made, host = pump(Spoken(["ready", answer(0, "", 0)]))

    copy(made)
    name = host.started[0][host.started[0].index("--name") + 1]
    assert host.started == [
        [
            *("docker", "run", "--rm", "--interactive", "--init", "--name", name),
            *("--label", "io.slipway.project=slipway"),
            *("--label", f"io.slipway.pid={os.getpid()}"),
            *("--network", "host"),
            *("--user", f"{os.getuid()}:{os.getgid()}"),
            *("--env", "LC_MESSAGES=C", "--env", "PGCLIENTENCODING=UTF8"),
            *("--entrypoint", "sh", "image", "-c", SCRIPT, "sh"),
        ]
    ]
    assert name.startswith("slipway-tool-")


def test_passwords_go_first_and_requests_follow() -> None:
    spoken = Spoken(["ready", answer(0, "", 0), answer(0, "", 0)])
    made, host = pump(spoken)

    made.copy(End("d'b=\\", "COPY \"ä\n\" TO STDOUT '%'"), End("two", "COPY t FROM STDIN"))
    copy(made)
    assert len(host.started) == 1
    assert spoken.told[:2] == ["first", "second"]
    patience = (
        "connect_timeout='15' keepalives_idle='30' keepalives_interval='10' keepalives_count='3'"
    )
    reader = "host='a.example' port='6000' user='o\\'reader' sslmode='require' "
    reader += f"gssencmode='disable' {patience}"
    assert [unescaped(word) for word in spoken.told[2].split(" ")] == [
        f"{reader} dbname='d\\'b=\\\\'.",
        "COPY \"ä\n\" TO STDOUT '%'.",
        f"host='::1' port='5432' user='owner' sslmode='prefer' {patience} dbname='two'.",
        "BEGIN; COPY t FROM STDIN.",
    ]
    assert len(spoken.told) == 4


def test_certificates_are_brought_along(tmp_path: Path) -> None:
    host = Host(conversations=[Spoken(["ready", answer(0, "", 0)])])
    linked = tmp_path / "linked.pem"
    linked.symlink_to("/etc/b.pem")
    source = Server("bridge", "h", 1, "u", "verify-ca", Secret(""), Path("/etc/a.pem"))
    target = Server("bridge", "h", 1, "u", "verify-full", Secret(""), linked)

    copy(ClientTools(host, FakeEngine(), "image").pump(source, target))
    argv, told = host.started[0], host.conversations[0].told[2].split(" ")
    assert [word for word in argv if word.startswith("type=")] == [
        "type=bind,source=/etc/a.pem,target=/trust/source.pem,readonly",
        "type=bind,source=/etc/b.pem,target=/trust/target.pem,readonly",
    ]
    assert "sslrootcert='/trust/source.pem'" in unescaped(told[0])
    assert "sslrootcert='/trust/target.pem'" in unescaped(told[2])


def test_one_container_is_in_one_network() -> None:
    elsewhere = Server("bridge", "h", 1, "u", "prefer", Secret(""))

    with pytest.raises(ValueError, match="bridge"):
        ClientTools(Host(), FakeEngine(), "image").pump(SOURCE, elsewhere)


@pytest.mark.parametrize(
    ("host", "desktop", "expected"),
    [
        ("127.0.0.1", False, ("host", "127.0.0.1")),
        ("db.example", False, ("host", "db.example")),
        ("localhost", True, ("bridge", "host.docker.internal")),
        ("db.example", True, ("bridge", "db.example")),
    ],
)
def test_an_endpoint_is_reached_as_the_host_does(
    host: str, expected: tuple[str, str], *, desktop: bool
) -> None:
    endpoint = Endpoint("source", "admin", host, 6, "db", "u", Secret("s"), "require", "/ca.pem")

    found = tools.on_host(endpoint, "slipway", desktop=desktop)
    assert found == Server(*expected, 6, "u", "require", Secret("s"), Path("/ca.pem"))


@pytest.mark.parametrize(("desktop", "network"), [(False, "host"), (True, "bridge")])
def test_the_compose_database_is_reached_by_its_socket(network: str, *, desktop: bool) -> None:
    endpoint = Endpoint("local", "admin", "127.0.0.1", 15432, "db", "u", Secret("s"))
    host = Host(conversations=[Spoken(["ready", answer(0, "", 0)])])

    local = tools.on_host(endpoint, "mine", desktop=desktop)
    copy(ClientTools(host, FakeEngine(), "image").pump(replace(SOURCE, network=network), local))

    argv, told = host.started[0], host.conversations[0].told[2].split(" ")
    assert local.network == network
    assert [word for word in argv if word.startswith("type=")] == [
        "type=volume,source=mine_db_socket,target=/var/run/postgresql"
    ]
    assert "host='/var/run/postgresql' port='5432' user='u'" in unescaped(told[2])


@pytest.mark.parametrize("statements", ["\\! id", "COPY a\0 TO STDOUT"])
def test_what_psql_would_take_for_its_own_is_refused(statements: str) -> None:
    made, host = pump()

    with pytest.raises(ValueError, match=r"id|COPY"):
        copy(made, source=statements)
    with pytest.raises(ValueError, match=r"id|COPY"):
        copy(made, target=statements)
    assert host.started == []


def test_a_statement_too_long_for_an_argument_is_an_error() -> None:
    made, _ = pump()

    with pytest.raises(ClientToolError, match="longer than 128 kB"):
        copy(made, target="é" * 65_600)


SQL_ERROR = 'ERROR:  42P01: relation "a\nb" does not exist\nLINE 1: COPY\nLOCATION:  x, y.c:1\n'
SNAPSHOT = (
    'ERROR:  42704: snapshot "1-1" does not exist\nLOCATION:  ImportSnapshot, snapmgr.c:1399\n'
)
CONSTRAINT = f"WARNING:  25001: there is\nFATAL:  23505: duplicate key\nDETAIL:  k\n{LOST}"
TERMINATED = f"FATAL:  57P01: terminating connection\nLOCATION:  x, y.c:1\n{LOST}"
CONNECT = 'psql: error: connection to server at "::1", port 1 failed: '
PASSWORD = f'{CONNECT}refused\nconnection failed: FATAL:  password authentication failed for "u"\n'
STARTING = f"{CONNECT}FATAL:  the database system is starting up\n"
REFUSED = f"{CONNECT}Connection refused\n\tIs the server running?\n"
PIPE = "could not write COPY data: Broken pipe\n"


@pytest.mark.parametrize(
    ("code", "complaint", "lost", "message", "state"),
    [
        (1, SQL_ERROR, False, 'relation "a b" does not exist', "42P01"),
        (2, CONSTRAINT, False, "duplicate key", "23505"),
        (2, TERMINATED, True, "terminating connection", "57P01"),
        (1, "ERROR:  08006: gone\n", True, "gone", "08006"),
        (1, "ERROR:  55P03: canceled\n", True, "canceled", "55P03"),
        (1, SNAPSHOT, True, 'snapshot "1-1" does not exist', "42704"),
        (2, LOST, True, "connection to server was lost", ""),
        (2, STARTING, True, "the database system is starting up", ""),
        (2, REFUSED, True, CONNECT[13:] + "Connection refused", ""),
        (2, PASSWORD, False, 'password authentication failed for "u"', ""),
        (2, f'{CONNECT}FATAL:  database "x" does not exist', False, 'database "x" does not', ""),
        (127, "", False, "psql ended with exit code 127", ""),
    ],
)
@pytest.mark.parametrize("side", ["source", "target"])
def test_the_side_that_failed_by_itself_is_told(
    side: str, code: int, complaint: str, message: str, state: str, *, lost: bool
) -> None:
    kinds: dict[tuple[str, bool], type[SlipwayError]] = {
        ("source", False): SourceError,
        ("source", True): SourceLostError,
        ("target", False): TargetError,
        ("target", True): TargetLostError,
    }
    said = (
        [answer(code, complaint, 137)]
        if side == "source"
        else [answer(other, text, code, complaint) for other, text in PARTNERS]
    )
    spoken = Spoken(["ready", *said])
    made, _ = pump(spoken)

    for _ in said:
        with pytest.raises(SlipwayError) as caught:
            copy(made)
        assert type(caught.value) is kinds[side, lost]
        assert caught.value.message.startswith(message)
        assert (f"SQLSTATE {state}." in caught.value.hint) == bool(state)
    assert spoken.left == 0


# How a source ends whose target has failed.
PARTNERS = [(0, ""), (137, ""), (141, ""), (1, PIPE)]


def test_of_two_that_failed_the_one_that_stays_wrong_is_told() -> None:
    made, _ = pump(Spoken(["ready", answer(2, LOST, 2, PASSWORD), answer(1, SQL_ERROR, 2, LOST)]))

    with pytest.raises(TargetError, match="password"):
        copy(made)
    with pytest.raises(SourceError, match="relation"):
        copy(made)


@pytest.mark.parametrize("codes", [(137, 137), (0, 137), (141, 137), (139, 137)])
def test_a_killed_psql_is_a_lost_tool(codes: tuple[int, int]) -> None:
    made, _ = pump(Spoken(["ready", answer(codes[0], "", codes[1])]))

    with pytest.raises(ToolLostError):
        copy(made)


def test_a_lost_container_is_replaced_at_the_next_copy() -> None:
    lost = [Spoken([None]), Spoken(["ready", None]), Spoken(["ready", KeyboardInterrupt()])]
    engine = FakeEngine()
    made, host = pump(*lost, Spoken(["ready", answer(0, "", 0)]), engine=engine)

    for expected in (ToolLostError, ToolLostError, KeyboardInterrupt):
        with pytest.raises(expected, match=r"has ended: docker: no such image$|^$"):
            copy(made)
    copy(made)
    names = [argv[argv.index("--name") + 1] for argv in host.started]
    assert len(set(names)) == 4
    assert [spoken.left for spoken in host.conversations] == [1, 1, 1, 0]
    assert engine.removed == names[:3]


def test_leaving_the_block_ends_the_container() -> None:
    spoken, engine = Spoken(["ready", answer(0, "", 0)]), FakeEngine()
    made, _ = pump(spoken, engine=engine)

    with made:
        copy(made)
    assert (spoken.left, len(engine.removed)) == (1, 1)


def test_a_pump_that_was_stopped_copies_no_more() -> None:
    spoken = Spoken(["ready", answer(0, "", 0), None])
    made, host = pump(spoken)
    copy(made)

    made.stop()
    for _ in range(2):
        with pytest.raises(ToolLostError):
            copy(made)
    assert (spoken.ended, spoken.left, len(host.started)) == (1, 1, 1)


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-u", "-c", code]


ECHO = "import sys\nfor line in sys.stdin: print(line.upper(), end='')\n"


def test_a_conversation_goes_back_and_forth_until_the_input_ends() -> None:
    with SubprocessRunner().converse(python(ECHO)) as echo:
        echo.tell(["one", "two"])
        assert (echo.hear(), echo.hear()) == ("ONE", "TWO")
        echo.tell(["ä"])
        assert echo.hear() == "Ä"

    assert echo._process.returncode == 0  # noqa: SLF001 - nothing else tells


def test_a_program_that_has_gone_is_no_surprise() -> None:
    code = "import sys; sys.stdin.close(); print('half', end=''); sys.exit('no space')"
    with SubprocessRunner().converse(python(code)) as gone:
        assert gone.hear() is None
        gone.tell(["x" * 100_000])
        gone.tell(["more"])
        assert gone.hear() is None
        assert gone.complaint == "no space\n"


def test_the_complaint_of_a_long_conversation_is_its_end() -> None:
    code = "import sys\nfor n in range(9000): print('line', n, file=sys.stderr)"
    with SubprocessRunner().converse(python(code)) as gone:
        assert gone.hear() is None
        assert gone.complaint.splitlines() == [f"line {number}" for number in range(8950, 9000)]


def stubborn(obeys: str) -> Callable[[], Conversation]:
    code = f"import signal, time; signal.signal(15, signal.{obeys}); print('up'); time.sleep(60)"
    return lambda: SubprocessRunner().converse(python(code))


@pytest.mark.parametrize("obeys", ["SIG_DFL", "SIG_IGN"])
def test_a_program_that_does_not_leave_is_ended(
    monkeypatch: pytest.MonkeyPatch, obeys: str
) -> None:
    monkeypatch.setattr("infra.process._GRACE", 0.2)
    started = time.monotonic()

    with stubborn(obeys)() as program:
        assert program.hear() == "up"
    assert program._process.returncode in {-15, -9}  # noqa: SLF001 - nothing else tells
    assert time.monotonic() - started < 4


def test_another_thread_can_end_a_program_that_is_listened_to() -> None:
    with stubborn("SIG_DFL")() as program:
        assert program.hear() == "up"
        threading.Timer(0.1, program.end).start()

        assert program.hear() is None


def test_a_missing_program_has_nothing_to_say() -> None:
    with pytest.raises(FileNotFoundError):
        SubprocessRunner().converse(["slipway-no-such-program"])


def test_the_script_is_one_for_every_shell() -> None:
    assert Path("/bin/sh").exists()
    assert SubprocessRunner().run(["/bin/sh", "-n", "-c", SCRIPT]).ok
    assert len(SCRIPT.encode()) < 100_000
