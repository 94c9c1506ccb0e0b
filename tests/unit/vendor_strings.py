"""Connection strings as vendors show them, and what the toolbox makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from backend import config
from backend.variables import Variables
from infra import target_setting
from infra.target_setting import About, Setting
from infra.vendor_endpoints import Vendor

ENDPOINT = "ep-calm-sea-a1b2c3d4"
NEON = f"{ENDPOINT}.eu-central-1.aws.neon.tech"
POOLED = f"{ENDPOINT}-pooler.eu-central-1.aws.neon.tech"
REF = "abcdefghijklmnopqrst"
DIRECT = f"db.{REF}.supabase.co"
POOLER = "aws-1-eu-central-1.pooler.supabase.com"
OTHER = "zyxwvutsrqponmlkjihg"
PASSWORD = "Kestrel-1"

Values = dict[str, str]


def neon(host: str = POOLED, query: str = "?sslmode=require&channel_binding=require") -> str:
    return f"postgresql://neondb_owner:{PASSWORD}@{host}/neondb{query}"


def supabase(host: str, port: int, user: str, password: str = PASSWORD) -> str:
    return f"postgresql://{user}:{password}@{host}:{port}/postgres"


DIRECT_STRING = supabase(DIRECT, 5432, "postgres")
SESSION_STRING = supabase(POOLER, 5432, f"postgres.{REF}")
TRANSACTION_STRING = supabase(POOLER, 6543, f"postgres.{REF}")
DEDICATED_STRING = supabase(DIRECT, 6543, "postgres")


def settle(
    vendor: Vendor,
    text: str,
    values: Mapping[str, str],
    root: Path,
    answers: Mapping[About, str] | None = None,
    ca: str = "",
) -> Setting:
    return target_setting.draft(vendor, text, values, root, ca).settle(answers or {}, root)


def endpoints(vendor: Vendor, values: Mapping[str, str], root: Path) -> tuple[str, str]:
    """Return what the stack makes of the lines: the admin and the application endpoint."""
    admin, app = config.cloud_endpoints(Variables(values, root), vendor)
    return str(admin), str(app)


def after(setting: Setting, before: Mapping[str, str]) -> Values:
    return {**before, **setting.changes}
