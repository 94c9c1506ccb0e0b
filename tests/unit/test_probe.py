"""What follows from the facts of a probe, and how it is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backend import pooling
from backend.causes import Explanation
from backend.config import Endpoint, Secret
from backend.tls import Certificate
from infra.commands.probe import show
from infra.console import Console
from infra.engine import dialling
from infra.engine.dialling import Dialled
from infra.engine.tools import ClientTools
from infra.errors import ConfigurationError, SourceError, TargetError
from infra.postgres.endpoint import findings
from infra.postgres.endpoint.addresses import Address, Family
from infra.postgres.endpoint.examination import Examined, Sessions
from infra.postgres.endpoint.server import DefaultGrant, Extension, Facts, Powers, Server
from infra.probing import Inside, Probed, Problem
from infra.process import Completed, LineSink
from infra.targets import CAPABILITIES
from tests.unit.conftest import FakeEngine, RecordingRunner

ADMIN = Endpoint(
    "neon", "admin", "ep-a.neon.tech", 5432, "market", "shop", Secret("x"), "verify-full", "/ca.pem"
)
SERVER = Server(
    "17.2", False, False, "0", "0", "0", "0", 100, 3, None, 20_000_000, "timescale"
)  # fmt: skip
POWERS = Powers("shop", False, True, False, False, False, True, True, True, False)
TIMESCALEDB = Extension("timescaledb", "2.19.3", "2.19.3")
FACTS = Facts(SERVER, 90, POWERS, False, (TIMESCALEDB,), (), ())
RIGHT = Certificate(None, "R11", ("*.neon.tech",), datetime(2027, 1, 1, tzinfo=UTC))
USABLE = Examined(
    ADMIN,
    (Address("IPv4", "192.0.2.1"),),
    RIGHT,
    "direct",
    Sessions(options=True, leaks=False, prepared=True),
    FACTS,
)
WITHIN = "the database has 20.0 MB, within the 500 MB of a free plan"
UNCHECKED = (
    "nobody checks who answers: NEON_DB_SSLMODE is 'require', not 'verify-full', "
    "which would find it expired"
)
GONE = Explanation("no answer", "nothing answers", "Start it.", passing=True)


def changed(**parts: Any) -> Examined:  # noqa: ANN401 - a field of any part of the facts
    """Return the usable endpoint with other facts of its server."""
    server = {name: parts.pop(name) for name in list(parts) if hasattr(SERVER, name)}
    return replace(USABLE, facts=replace(FACTS, server=replace(SERVER, **server), **parts))


def grants(*roles: str) -> tuple[DefaultGrant, ...]:
    return tuple(DefaultGrant(role, "public", "shop", "tables", "SELECT") for role in roles)


NOTES: dict[str, tuple[Examined, list[str]]] = {
    "nothing": (USABLE, [WITHIN]),
    "a full plan": (
        changed(size=600_000_000),
        ["the database has 600.0 MB, over the 500 MB of a free plan"],
    ),
    "a plan of nobody's": (replace(USABLE, endpoint=replace(ADMIN, target="source")), []),
    "a time limit": (
        changed(statement_timeout="2min"),
        ["a statement ends after 2min where its session sets no limit", WITHIN],
    ),
    "little room": (
        changed(room=2),
        ["the role may open 2 more sessions: use fewer workers (--jobs)", WITHIN],
    ),
    "the Apache edition": (
        changed(timescaledb_edition="apache"),
        [
            WITHIN,
            "TimescaleDB's Apache edition: no compression, continuous aggregates or policies",
        ],
    ),
    "no TimescaleDB": (
        changed(extensions=(), timescaledb_edition=None),
        [WITHIN, "no TimescaleDB is offered: hypertables become partitioned tables"],
    ),
    "grants to the API": (
        changed(default_grants=grants("anon", "authenticated")),
        [
            WITHIN,
            "tables made in public are open to anon and authenticated, the roles of the Data API",
        ],
    ),
    "another role's grants": (
        changed(default_grants=(replace(grants("anon")[0], owner="supabase_admin"),)),
        [WITHIN],
    ),
    "a platform's tables": (changed(readable=("storage.buckets",)), [WITHIN]),
    "tables in the open": (
        changed(readable=("storage.buckets", "public.tick")),
        [WITHIN, "anybody can read over the Data API: public.tick"],
    ),
    "plaintext": (
        replace(USABLE, endpoint=replace(ADMIN, sslmode="disable")),
        ["passwords and rows travel unencrypted: NEON_DB_SSLMODE is 'disable'", WITHIN],
    ),
    "nobody checked": (
        replace(
            USABLE,
            endpoint=replace(ADMIN, sslmode="require"),
            certificate=replace(RIGHT, problem="expired"),
        ),
        [UNCHECKED, WITHIN],
    ),
    "shared sessions": (
        replace(
            USABLE,
            pooling="transaction",
            sessions=Sessions(options=False, leaks=True, prepared=False),
        ),
        [
            "each transaction gets another session: use SET LOCAL, and no LISTEN",
            "what one client SETs is found by the next one",
            "statements that a driver prepares are lost: prepare_threshold=None, as backend has",
            "settings given at login (options) are refused or ignored",
            WITHIN,
        ],
    ),
}


@pytest.mark.parametrize("case", NOTES)
def test_notes_say_what_follows_for_the_role(case: str) -> None:
    found, expected = NOTES[case]

    assert list(findings.notes(found)) == expected


POWERLESS = replace(POWERS, creates_schemas=False, creates_in_public=False)
PROBLEMS: dict[str, tuple[Examined, list[type[Exception]]]] = {
    "nothing": (USABLE, []),
    "a failure": (replace(USABLE, failure=GONE), [TargetError]),
    "a failure of the source": (
        replace(USABLE, endpoint=replace(ADMIN, target="source"), failure=GONE),
        [SourceError],
    ),
    "a pooled admin endpoint": (replace(USABLE, pooling="statement"), [ConfigurationError]),
    "a pooled app endpoint": (
        replace(USABLE, endpoint=replace(ADMIN, role="app"), pooling="transaction"),
        [],
    ),
    "a frozen database": (replace(USABLE, read_only=GONE), [TargetError]),
    "a frozen source": (
        replace(USABLE, endpoint=replace(ADMIN, target="source"), read_only=GONE),
        [],
    ),
    "a role without powers": (changed(powers=POWERLESS), [TargetError]),
    "an application's role": (
        replace(changed(powers=POWERLESS), endpoint=replace(ADMIN, role="app")),
        [],
    ),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_problems_are_what_makes_an_endpoint_unusable(case: str) -> None:
    found, expected = PROBLEMS[case]

    assert [type(problem) for problem in findings.problems(found)] == expected


@pytest.mark.parametrize(
    ("endpoint", "way"),
    [
        (replace(ADMIN, host="ep-a-pooler.c-2.neon.tech"), "NEON_DB_HOST=ep-a.c-2.neon.tech"),
        (replace(ADMIN, target="supabase", port=6543), "SUPABASE_DB_PORT=5432"),
        (replace(ADMIN, host="10.0.0.1"), "NEON_DB_HOST and NEON_DB_PORT"),
    ],
)
def test_the_way_around_a_pooler_is_proposed(endpoint: Endpoint, way: str) -> None:
    assert way in pooling.refusal(endpoint, "transaction").hint


@pytest.mark.parametrize(
    ("target", "family", "said", "message", "hint"),
    [
        ("supabase", "IPv6", "network is unreachable", "IPv6 addresses only", "session pooler"),
        ("neon", "IPv6", "network unreachable", "IPv6 addresses only", "IPv6 subnet"),
        ("neon", "IPv6", "connection refused", "nothing answers containers", "firewall"),
        ("neon", "IPv4", "network is unreachable", "nothing answers containers", "firewall"),
    ],
)
def test_containers_without_a_way_there_are_told_why(
    target: str, family: Family, said: str, message: str, hint: str
) -> None:
    found = replace(
        USABLE, endpoint=replace(ADMIN, target=target), addresses=(Address(family, "x"),)
    )

    error = findings.unreachable_inside(found, said)

    assert message in error.message
    assert said in error.message
    assert hint in error.hint


class Bash(RecordingRunner):
    """Answers as the script in the container would."""

    def __init__(self, returncode: int, stdout: str) -> None:
        super().__init__()
        self.returncode = returncode
        self.stdout = stdout

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        on_stderr: LineSink | None = None,
    ) -> Completed:
        del env, stdin, on_stderr
        assert argv[argv.index("--network") + 1] == "shop_default"
        assert argv[-3:] == ["5432", "192.0.2.1", "2001:db8::1"]
        return Completed(tuple(argv), self.returncode, self.stdout, "")


def dial(returncode: int, stdout: str) -> list[Dialled] | None:
    tools = ClientTools(Bash(returncode, stdout), FakeEngine(), "image")
    return dialling.dial(tools, "shop_default", ["192.0.2.1", "2001:db8::1"], 5432)


def test_each_address_is_dialled_from_a_container() -> None:
    assert dial(0, "0\t192.0.2.1\t\n1\t2001:db8::1\tNetwork is unreachable\n") == [
        Dialled("192.0.2.1", None),
        Dialled("2001:db8::1", "network is unreachable"),
    ]
    assert dial(0, "124\t192.0.2.1\t\n") == [Dialled("192.0.2.1", "no answer")]


def test_a_container_that_cannot_be_run_tells_nothing() -> None:
    assert dial(125, "") is None


def probed(*endpoints: Examined, problems: tuple[Problem, ...] = ()) -> Probed:
    inside = Inside("shop_default", (Dialled("192.0.2.1", None),))
    return Probed("neon", CAPABILITIES["neon"], endpoints, {"admin": inside}, problems)


def test_what_both_endpoints_share_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    app = replace(USABLE, endpoint=replace(ADMIN, role="app", port=6432))

    show(Console(), probed(USABLE, app))

    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown if line.strip() and line[0] != " "] == [
        "admin",
        *("from", "from", "tls", "sessions", "server", "role", "extensions", "timeouts"),
        *("connections", "note:", "app", "neon"),
    ]
    assert "shop@ep-a.neon.tech:6432/market" in "\n".join(shown)
    assert shown[-1] == "neon is usable"


def test_the_first_problem_is_left_to_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    errors = [TargetError(f"{name} is wrong", "Mend it.") for name in ("first", "second")]
    problems = tuple(Problem("admin", error) for error in errors)
    found = probed(replace(USABLE, facts=None, sessions=None, pooling=None), problems=problems)

    show(Console(), found)

    captured = capsys.readouterr()
    assert captured.err == "error: second is wrong\nHINT: Mend it.\n"
    assert "usable" not in captured.out
    with pytest.raises(TargetError, match="first"):
        found.require_all()


def test_a_problem_of_containers_does_not_keep_this_machine_away() -> None:
    error = TargetError("no way for containers", "Mend it.")
    found = probed(USABLE, problems=(Problem("admin", error, containers=True),))

    found.require()
    with pytest.raises(TargetError):
        found.require_all()
    assert found.as_json()["usable"] is False


def test_databases_are_renamed_by_who_may_make_them() -> None:
    def renames(powers: Powers, target: str = "neon") -> object:
        one = probed(replace(USABLE, facts=replace(FACTS, powers=powers)))
        found = replace(one, capabilities=CAPABILITIES[target])
        return found.as_json()["endpoints"]["admin"]["role"]["renames_databases"]

    assert renames(POWERS)
    assert renames(replace(POWERS, superuser=True, creates_databases=False))
    assert not renames(replace(POWERS, creates_databases=False))
    assert not renames(replace(POWERS, owns_database=False))
    assert not renames(POWERS, "supabase")


def test_the_trust_that_was_used_is_told() -> None:
    assert probed(USABLE).as_json()["endpoints"]["admin"]["tls"] == {
        "sslmode": "verify-full",
        "trust": str(Path("/ca.pem")),
        "offered": True,
        "problem": None,
        "issuer": "R11",
        "names": ["*.neon.tech"],
        "expires": "2027-01-01T00:00:00+00:00",
    }
