"""`.env` means the same to the toolbox and to the real Compose."""

from __future__ import annotations

import json
import random
from pathlib import Path

from backend import envfile
from tests.fixtures.checkout import ALL_CHARACTERS, Checkout

# What readers of such files disagree on.
AWKWARD = "\\'\"$#{}` ab=:n0té"

# As people write them by hand.
BY_HAND = (
    "plain",
    "trailing   ",
    "two words",
    "with#hash",
    "word # comment",
    "#hash",
    "''",
    '""',
    "'single # quoted' # it's a comment",
    '"double # quoted" # a "comment"',
    "'it\\'s'",
    "'a\\b'",
    "'a\\\\b'",
    '"a\\\\b"',
    '"tab\\tstop"',
    '"a\\$b"',
    '"a$$b"',
    "a$$b",
    "'a$b'",
    "a'b",
    "pass=word",
    "C:\\dir",
)


def read_by_compose(folder: Path, text: str, count: int) -> list[str]:
    (folder / ".env").write_text(text, encoding="utf-8")
    environment = {f"V{number}": f"${{V{number}}}" for number in range(count)}
    services = {"services": {"reader": {"image": "none", "environment": environment}}}
    (folder / "docker-compose.yml").write_text(json.dumps(services), encoding="utf-8")
    done = Checkout(folder, "slipway-dotenv").compose("config", "--format", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["services"]["reader"]["environment"]
    # Compose writes a dollar sign twice, so that its output can be its input.
    return [found[f"V{number}"].replace("$$", "$") for number in range(count)]


def test_every_value_we_write_is_read_back_by_compose(tmp_path: Path) -> None:
    chance = random.Random(20261122)  # noqa: S311 - the same awkward values each time
    values = [ALL_CHARACTERS, "@:/?#%'\"\\$ ", "\\", "'", "ends with \\"]
    values += ["".join(chance.choices(AWKWARD, k=chance.randint(0, 9))) for _ in range(500)]
    text = "".join(f"V{number}={envfile.quote(value)}\n" for number, value in enumerate(values))

    assert read_by_compose(tmp_path, text, len(values)) == values
    assert list(envfile.parse(text).values()) == values


def test_what_people_write_means_the_same_to_both(tmp_path: Path) -> None:
    text = "".join(f"V{number}={value}\n" for number, value in enumerate(BY_HAND))

    assert list(envfile.parse(text).values()) == read_by_compose(tmp_path, text, len(BY_HAND))
