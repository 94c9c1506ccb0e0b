from __future__ import annotations

import pytest

from infra.errors import UsageError
from infra.vendor_endpoints import VendorEndpoint, identify, neon_direct, neon_pooled

REF = "abcdefghijklmnopqrst"
POOLER = "aws-1-eu-central-1.pooler.supabase.com"
NEON = "ep-calm-sea-a1b2c3d4.c-2.eu-central-1.aws.neon.tech"


@pytest.mark.parametrize(
    ("host", "port", "user", "endpoint"),
    [
        (f"db.{REF}.supabase.co", 5432, "postgres", VendorEndpoint("supabase", "direct", REF)),
        (f"db.{REF}.supabase.co", 6543, "postgres", VendorEndpoint("supabase", "transaction", REF)),
        (POOLER, 5432, f"postgres.{REF}", VendorEndpoint("supabase", "session", REF, shared=True)),
        (POOLER, 6543, f"a.b.{REF}", VendorEndpoint("supabase", "transaction", REF, shared=True)),
        (NEON, 5432, "u", VendorEndpoint("neon", "direct", "ep-calm-sea-a1b2c3d4")),
        (
            NEON.replace(".c-2", "-pooler.c-2"),
            5432,
            "u",
            VendorEndpoint("neon", "transaction", "ep-calm-sea-a1b2c3d4"),
        ),
        ("db.example.com", 6543, "postgres.x", VendorEndpoint(None)),
        ("10.1.2.3", 5432, "u", VendorEndpoint(None)),
        (f"db.{REF}.supabase.co.example.com", 5432, "u", VendorEndpoint(None)),
        ("ep-x.neon.tech.example.com", 5432, "u", VendorEndpoint(None)),
    ],
)
def test_host_and_port_tell_the_endpoint(
    host: str, port: int, user: str, endpoint: VendorEndpoint
) -> None:
    assert identify(host, port, user) == endpoint


@pytest.mark.parametrize(
    ("host", "port", "message"),
    [
        ("pg.neon.tech", 5432, "host pg.neon.tech is Neon's, but none of a database"),
        (f"{REF}.supabase.co", 5432, f"host {REF}.supabase.co is Supabase's, but none of a"),
        ("api.supabase.com", 5432, "host api.supabase.com is Supabase's, but none of a database"),
        (f"db.{REF}.supabase.co", 5433, f"port 5433 of db.{REF}.supabase.co is none of"),
        (POOLER, 6432, f"port 6432 of {POOLER} is none of Supabase's"),
    ],
)
def test_a_vendors_host_that_is_no_database_is_refused(host: str, port: int, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        identify(host, port, "u")

    assert caught.value.message.startswith(message)


def test_neons_two_hosts_follow_from_each_other() -> None:
    pooled = NEON.replace(".c-2", "-pooler.c-2")

    assert neon_direct(pooled) == neon_direct(NEON) == NEON
    assert neon_pooled(pooled) == neon_pooled(NEON) == pooled
