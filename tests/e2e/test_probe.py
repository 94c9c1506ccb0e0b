"""`invoke probe` as it is typed, and what is refused at an endpoint that it warns of."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.settings import Images
from tests.doubles.neon_like import NeonLike
from tests.fixtures.checkout import Checkout, make_checkout


@pytest.fixture
def checkout(tmp_path: Path, images: Images, neon: NeonLike) -> Checkout:
    """Return a checkout whose stack was never started, with a target `neon`."""
    made = make_checkout(tmp_path, images)
    made.set(**neon.settings)
    made.environment["COLUMNS"] = "80"
    return made


def test_json_stands_alone_on_standard_output(checkout: Checkout, neon: NeonLike) -> None:
    done = checkout.invoke("probe", "neon", "--json")

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["target"], found["usable"], found["problems"]) == ("neon", True, [])
    assert found["endpoints"]["admin"]["pooling"] == "direct"
    assert found["endpoints"]["app"]["pooling"] == "transaction"
    assert neon.password not in done.stdout + done.stderr


def test_a_person_is_shown_a_table_and_what_is_good_to_know(checkout: Checkout) -> None:
    shown = checkout.expect("probe", "neon").splitlines()

    assert any(line.startswith("sessions") and "direct" in line for line in shown)
    assert "note: what one client SETs is found by the next one" in shown
    assert shown[-1] == "neon is usable"
    tables = [line for line in shown if not line.startswith("note: ")]
    assert max(map(len, tables)) <= 80


def test_a_pooled_admin_endpoint_is_refused(checkout: Checkout, neon: NeonLike) -> None:
    checkout.set(NEON_DB_PORT=str(neon.pool_port), DB_TARGET="neon")

    probed = checkout.invoke("probe", "neon", "--json")
    migrated = checkout.invoke("migrate", "--back-to", "base", "--yes")

    message = (
        "error: NEON_DB_HOST leads to a pooler that gives each transaction another session: "
        f"{neon.host}:{neon.pool_port}"
    )
    assert [probed.returncode, migrated.returncode] == [2, 2]
    assert json.loads(probed.stdout)["problems"][0]["exit_code"] == 2
    assert probed.stderr.startswith(message)
    assert migrated.stderr.startswith(message)
    assert "HINT: Dumps, locks and migrations need whole sessions" in migrated.stderr


class IPv6Server(socketserver.TCPServer):
    """Hangs up on whoever comes."""

    address_family = socket.AF_INET6


@contextmanager
def listening_on_ipv6() -> Iterator[int]:
    """Accept connections on the loopback of IPv6, and tell the port."""
    with IPv6Server(("::1", 0), socketserver.BaseRequestHandler) as listener:
        thread = threading.Thread(target=listener.serve_forever)
        thread.start()
        try:
            yield int(listener.server_address[1])
        finally:
            listener.shutdown()
            thread.join()


def test_a_host_with_ipv6_only_is_named_with_its_remedy(checkout: Checkout) -> None:
    values = {
        name.replace("NEON", "SUPABASE"): value
        for name, value in checkout.values.items()
        if name.startswith("NEON_DB")
    }
    with listening_on_ipv6() as port:
        place = {"SUPABASE_DB_HOST": "::1", "SUPABASE_DB_PORT": str(port)}
        checkout.set(**values | place)
        done = checkout.invoke("probe", "supabase", "--json")

    assert done.returncode == 6
    found = json.loads(done.stdout)
    admin = found["endpoints"]["admin"]
    assert admin["addresses"] == [{"family": "IPv6", "address": "::1", "error": None}]
    (problem,) = [problem for problem in found["problems"] if problem["containers"]]
    assert "IPv6 addresses only, and containers of the stack have no IPv6" in problem["message"]
    assert "session pooler" in problem["hint"]


def test_the_stacks_own_database_is_probed_for_both_roles(stack: Checkout) -> None:
    found = json.loads(stack.expect("probe", "local", "--json"))

    endpoints = found["endpoints"]
    network = {
        "network": f"{stack.project}_default",
        "addresses": [{"address": "db", "error": None}],
    }
    for role, user in (("admin", "DB_OWNER_USER"), ("app", "DB_USER")):
        known = endpoints[role]
        assert known["containers"] == network
        assert known["pooling"] == "direct"
        assert known["role"]["name"] == stack.values[user]
    assert endpoints["admin"]["role"]["creates_schemas"]
    assert not endpoints["app"]["role"]["creates_schemas"]


def test_the_old_install_is_probed_as_it_is_read(stack: Checkout) -> None:
    found = json.loads(stack.expect("probe", "source", "--json"))

    assert list(found["endpoints"]) == ["admin"]
    assert found["endpoints"]["admin"]["tls"]["problem"] == "no tls"
    assert found["endpoints"]["admin"]["role"]["superuser"]
