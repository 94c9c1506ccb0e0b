from __future__ import annotations

import re

import pytest

from tests.unit.conftest import CHECKOUT, names_in_example

OVERLAY = (CHECKOUT / "docker-compose.cloud.yml").read_text(encoding="utf-8")
TARGETS = ["supabase", "neon"]


@pytest.mark.parametrize("target", TARGETS)
def test_the_migrator_is_given_the_whole_admin_endpoint(target: str) -> None:
    passed = set(re.findall(r"^      (\w+): \$\{", OVERLAY, re.MULTILINE))
    admin = {
        name
        for name in names_in_example()
        if name.startswith(f"{target.upper()}_DB_") and "_POOL_" not in name
    }

    assert len(admin) == 7
    assert admin <= passed


@pytest.mark.parametrize("target", TARGETS)
def test_a_certificate_is_named_as_it_is_mounted(target: str) -> None:
    name = f"{target.upper()}_DB_SSLROOTCERT"

    assert (
        f"source: ${{{name}:-./docker-compose.cloud.yml}}\n        target: /trust/{target}.pem"
        in OVERLAY
    )
    assert f"{name}: ${{{name}:+/trust/{target}.pem}}" in OVERLAY
