"""A vendor's connection string, pasted or piped, becomes lines of `.env` and nothing else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from infra.settings import Images
from tests.fixtures.checkout import Checkout, make_checkout

NEON = "ep-calm-sea-a1b2c3d4.eu-central-1.aws.neon.tech"
POOLED = NEON.replace(".", "-pooler.", 1)
REF = "abcdefghijklmnopqrst"
DIRECT = f"db.{REF}.supabase.co"
POOLER = "aws-1-eu-central-1.pooler.supabase.com"
# Its signs are those that connection strings are built of.
PASSWORD = "Kestrel/#?:@'\"&=$5"
URL = f"postgresql://u:Kestrel@{NEON}/neondb"


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Return a checkout whose stack was never started."""
    # No command here comes as far as an image.
    return make_checkout(tmp_path, Images("none", "none", "none", "none"))


def piped(checkout: Checkout, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return checkout.run(sys.executable, "-m", "invoke", "target-set", *arguments, stdin=text)


def typed(checkout: Checkout, answers: list[str], *arguments: str) -> str:
    """Run the command on a terminal of its own, answer its questions, return the screen."""
    mine, its = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", sys.executable, "-m", "invoke", "target-set", *arguments],
        cwd=checkout.folder,
        stdin=its,
        stdout=its,
        stderr=its,
    )
    os.close(its)
    screen = b""
    # Reading fails once the program has left its terminal.
    with suppress(OSError):
        while piece := os.read(mine, 65536):
            screen += piece
            if screen.endswith(b": ") and answers:
                os.write(mine, f"{answers.pop(0)}\n".encode())
    os.close(mine)
    assert process.wait(timeout=30) == 0, screen
    return screen.decode().replace("\r", "")


def test_a_piped_string_becomes_lines_and_a_second_run_changes_nothing(
    checkout: Checkout,
) -> None:
    before = checkout.values
    others = [line for line in lines_of(checkout) if not line.startswith("NEON_DB_")]
    text = f"psql 'postgresql://neondb_owner:{PASSWORD}@{POOLED}/neondb?sslmode=require'\n"

    done = piped(checkout, text, "neon")
    again = piped(checkout, text, "neon")

    assert done.returncode == again.returncode == 0, done.stderr
    assert checkout.values == before | {
        "NEON_DB_HOST": NEON,
        "NEON_DB_NAME": "neondb",
        "NEON_DB_USER": "neondb_owner",
        "NEON_DB_PASSWORD": PASSWORD,
        "NEON_DB_SSLROOTCERT": "",
    }
    assert [line for line in lines_of(checkout) if not line.startswith("NEON_DB_")] == others
    assert checkout.env_file.stat().st_mode & 0o777 == 0o600
    assert f"wrote NEON_DB_HOST={NEON}\n" in done.stdout
    assert "wrote NEON_DB_PASSWORD=(not shown)\n" in done.stdout
    assert done.stdout.endswith("next: run `invoke probe neon`\n")
    assert again.stdout.startswith("nothing was written: .env holds these lines already\n")
    assert "Kestrel" not in done.stdout + done.stderr + again.stdout + again.stderr
    assert f"neondb_owner@{NEON}:5432/neondb" in checkout.expect("targets", "--json")


def lines_of(checkout: Checkout) -> list[str]:
    return checkout.env_file.read_text(encoding="utf-8").splitlines()


def test_a_person_is_asked_and_no_secret_is_on_the_screen(checkout: Checkout) -> None:
    screen = typed(
        checkout,
        [f"postgresql://postgres:[YOUR-PASSWORD]@{DIRECT}:5432/postgres", PASSWORD, POOLER, ""],
        "supabase",
    )

    values = checkout.values
    assert values["SUPABASE_DB_HOST"] == DIRECT
    assert values["SUPABASE_DB_PASSWORD"] == PASSWORD
    assert (values["SUPABASE_DB_POOL_HOST"], values["SUPABASE_DB_POOL_PORT"]) == (POOLER, "6543")
    assert values["SUPABASE_DB_POOL_USER"] == f"postgres.{REF}"
    assert "connection string of supabase (not shown): " in screen
    assert "password of postgres, in the place of [YOUR-PASSWORD]: " in screen
    assert "next: set SUPABASE_DB_SSLROOTCERT in .env to the path of prod-ca-2021.crt" in screen
    assert "Kestrel" not in screen
    # What was pasted is not shown either.
    assert "postgresql://" not in screen


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("", [URL], "a connection string is not taken from the command line, which stands in"),
        (URL, ["supabase"], "the connection string is Neon's, not Supabase's"),
        (URL, ["neon", "--ca", "missing.crt"], "the certificate's path names no file: 'missing"),
    ],
    ids=["in the arguments", "of the other vendor", "with a certificate that is missing"],
)
def test_what_cannot_be_used_is_refused_and_nothing_written(
    checkout: Checkout, text: str, arguments: list[str], message: str
) -> None:
    before = checkout.env_file.read_bytes()

    done = piped(checkout, text, *arguments)

    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.splitlines()[1].startswith("HINT: ")
    assert "Kestrel" not in done.stdout + done.stderr
    assert checkout.env_file.read_bytes() == before


def test_settings_that_cannot_be_used_can_be_repaired(checkout: Checkout) -> None:
    # With this alone `invoke targets` ends with exit code 2.
    checkout.set(DB_TARGET="neon")

    done = piped(checkout, URL, "neon")

    assert done.returncode == 0, done.stderr
    assert "next: run `invoke up`: the stack on neon still has the old lines\n" in done.stdout
    assert checkout.invoke("targets").returncode == 0
