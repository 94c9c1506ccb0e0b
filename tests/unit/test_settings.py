from __future__ import annotations

import re
from pathlib import Path

import pytest

from backend import config
from backend.variables import Variables
from infra import settings
from infra.errors import ConfigurationError, UsageError
from infra.settings import Images
from tests.unit.conftest import (
    CHECKOUT,
    PASSWORD_NAMES,
    MakeSettings,
    example_values,
    names_in_example,
    write_env,
)

COMPOSE_FILES = ("docker-compose.yml", "docker-compose.cloud.yml")

# What Compose sets for the migrator itself; nobody writes them in .env.
SET_BY_COMPOSE = {"SLIPWAY_IN_CONTAINER", "DB_SOCKET_DIR"}

NEON = {
    "NEON_DB_HOST": "ep-1.neon.tech",
    "NEON_DB_NAME": "trading",
    "NEON_DB_USER": "owner",
    "NEON_DB_PASSWORD": "neon secret",
}
SOURCE = {
    "SOURCE_DB_NAME": "old",
    "SOURCE_DB_PASSWORD": "source secret",
}


def names_in_compose() -> set[str]:
    text = "".join((CHECKOUT / name).read_text(encoding="utf-8") for name in COMPOSE_FILES)
    return set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", text))


class Spy(Variables):
    """Remembers every name it is asked for."""

    asked: set[str]

    def text(self, name: str, default: str = "") -> str:
        self.asked.add(name)
        return super().text(name, default)


def names_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> set[str]:
    asked: set[str] = {"SLIPWAY_IN_CONTAINER"}
    monkeypatch.setattr(Spy, "asked", asked, raising=False)
    monkeypatch.setattr(settings, "Variables", Spy)
    monkeypatch.setattr(config, "Variables", Spy)
    found = settings.load(write_env(tmp_path).parent, {})
    found.targets()
    config.load({}, tmp_path / ".env")
    return asked


def test_every_variable_of_the_example_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    used = names_in_compose() | names_read(monkeypatch, tmp_path)

    assert names_in_example() - used == set()


def test_every_variable_that_is_used_is_in_the_example(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    used = names_in_compose() | names_read(monkeypatch, tmp_path)

    assert used - names_in_example() == SET_BY_COMPOSE


def test_what_compose_sets_itself_stands_in_its_file() -> None:
    text = (CHECKOUT / "docker-compose.yml").read_text(encoding="utf-8")

    assert all(re.search(rf"^ +{name}: ", text, re.MULTILINE) for name in SET_BY_COMPOSE)


def test_the_example_holds_no_password() -> None:
    passwords = {name: value for name, value in example_values().items() if "PASSWORD" in name}

    assert set(passwords.values()) == {"change-me"}
    assert set(PASSWORD_NAMES) < set(passwords)


def test_every_variable_of_the_example_has_a_comment_above_it() -> None:
    lines = (CHECKOUT / ".env.example").read_text(encoding="utf-8").splitlines()

    bare = [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if re.match(r"[A-Z_]+=", line) and not before.startswith("# ")
    ]
    assert bare == []


def test_images_have_defaults(make_settings: MakeSettings) -> None:
    assert make_settings().images == Images(
        database="timescale/timescaledb:latest-pg14",
        redis="redis:8-alpine",
        python="python:3.13-slim",
        tools="postgres:17-alpine",
    )


def test_the_defaults_are_those_of_the_compose_file(make_settings: MakeSettings) -> None:
    text = (CHECKOUT / "docker-compose.yml").read_text(encoding="utf-8")

    found = make_settings().images
    assert "${DB_IMAGE:-timescale/timescaledb:latest-pg${PG_MAJOR:-14}}" in text
    assert f"${{REDIS_IMAGE:-{found.redis}}}" in text
    assert f"${{PYTHON_IMAGE:-{found.python}}}" in text
    assert f"${{TOOLS_IMAGE:-{found.tools}}}" in text


def test_the_database_image_follows_the_major_version(make_settings: MakeSettings) -> None:
    found = make_settings(PG_MAJOR="17")

    assert (found.pg_major, found.images.database) == ("17", "timescale/timescaledb:latest-pg17")


def test_an_image_that_is_named_is_used(make_settings: MakeSettings) -> None:
    found = make_settings(DB_IMAGE="db:1", REDIS_IMAGE="r:2", PYTHON_IMAGE="p:3", TOOLS_IMAGE="t:4")

    assert found.images == Images("db:1", "r:2", "p:3", "t:4")


def test_the_example_names_the_default_project_and_files(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    found = make_settings()

    assert (found.project, found.volume) == ("slipway", "./data/db")
    assert found.compose_files == (tmp_path / "docker-compose.yml",)
    assert found.archives == tmp_path / "data" / "archives"


def test_compose_files_are_split_at_the_separator(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    found = make_settings(COMPOSE_FILE="a.yml;b.yml", COMPOSE_PATH_SEPARATOR=";")

    assert found.compose_files == (tmp_path / "a.yml", tmp_path / "b.yml")


def test_a_ca_file_that_does_not_exist_is_a_problem(make_settings: MakeSettings) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_settings(BUILD_CA_FILE="certs/company.pem")

    assert caught.value.message == (
        "settings cannot be used: BUILD_CA_FILE names no file: 'certs/company.pem'"
    )


def test_a_ca_file_is_found_from_the_checkout(make_settings: MakeSettings, tmp_path: Path) -> None:
    (tmp_path / "company.pem").touch()

    assert make_settings(BUILD_CA_FILE="company.pem").values["BUILD_CA_FILE"] == "company.pem"


def test_three_bad_variables_come_in_one_error(make_settings: MakeSettings) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_settings(PG_MAJOR="fourteen", REDIS_PASSWORD="", DB_PORT="no")

    assert caught.value.message == (
        "settings cannot be used: PG_MAJOR is not a number: 'fourteen'; "
        "DB_PORT is not a port number: 'no'; REDIS_PASSWORD is missing"
    )


def test_the_toolbox_never_uses_service_names(tmp_path: Path) -> None:
    write_env(tmp_path, DB_PORT="15432")

    found = settings.load(tmp_path, {"SLIPWAY_IN_CONTAINER": "1"})
    assert str(found.config.admin) == "trading_owner@127.0.0.1:15432/trading"


def test_the_superuser_is_postgres_on_the_local_database(make_settings: MakeSettings) -> None:
    found = make_settings(DB_TARGET="neon", **NEON)

    assert str(found.superuser) == "postgres@127.0.0.1:5432/trading"


def test_the_source_names_every_variable_it_lacks(make_settings: MakeSettings) -> None:
    found = make_settings(SOURCE_DB_USER="", SOURCE_DB_SSLMODE="maybe")

    with pytest.raises(ConfigurationError) as caught:
        found.source()

    assert caught.value.message == (
        "settings cannot be used: SOURCE_DB_NAME is still the placeholder 'change-me'; "
        "SOURCE_DB_USER is missing; SOURCE_DB_PASSWORD is still the placeholder 'change-me'; "
        "SOURCE_DB_SSLMODE is 'maybe', not one of "
        "disable, allow, prefer, require, verify-ca, verify-full"
    )


def test_the_source_is_what_the_settings_say(make_settings: MakeSettings) -> None:
    source = make_settings(**SOURCE).source()

    assert (source.target, str(source), source.sslmode) == (
        "source",
        "postgres@127.0.0.1:5432/old",
        "prefer",
    )


def test_targets_mark_the_active_one_and_say_what_the_others_lack(
    make_settings: MakeSettings,
) -> None:
    found = {target.name: target for target in make_settings().targets()}

    assert list(found) == ["source", "local", "supabase", "neon"]
    assert [target.name for target in found.values() if target.active] == ["local"]
    assert found["local"].problem is None
    assert str(found["local"].admin) == "trading_owner@127.0.0.1:5432/trading"
    assert str(found["local"].app) == "trading_app@127.0.0.1:5432/trading"
    assert (found["neon"].admin, found["neon"].app) == (None, None)
    assert found["neon"].problem == "fill in NEON_DB_* in .env"
    assert found["supabase"].problem == "fill in SUPABASE_DB_* in .env"
    assert "SOURCE_DB_NAME" in str(found["source"].problem)


def test_a_certificate_that_is_missing_is_the_problem_of_its_target_only(
    make_settings: MakeSettings,
) -> None:
    supabase = {name.replace("NEON", "SUPABASE"): value for name, value in NEON.items()}

    found = {
        target.name: target
        for target in make_settings(
            **NEON, **SOURCE, **supabase, NEON_DB_SSLROOTCERT="none.pem"
        ).targets()
    }

    assert (found["local"].problem, found["source"].problem) == (None, None)
    assert found["neon"].problem == (
        "settings cannot be used: NEON_DB_SSLROOTCERT names no file: 'none.pem'"
    )
    assert "SUPABASE_DB_SSLROOTCERT is missing" in str(found["supabase"].problem)


def test_a_cloud_target_that_is_active_is_marked(make_settings: MakeSettings) -> None:
    found = make_settings(DB_TARGET="neon", **NEON)

    assert [target.name for target in found.targets() if target.active] == ["neon"]
    assert str(found.target("neon").app) == "owner@ep-1-pooler.neon.tech:5432/trading"


def test_an_unknown_target_is_refused_with_the_known_ones(make_settings: MakeSettings) -> None:
    with pytest.raises(UsageError) as caught:
        make_settings().target("staging")

    assert caught.value.message == "target 'staging' does not exist"
    assert caught.value.hint == "Choose one of: source, local, supabase, neon."


def test_who_may_do_most_is_the_superuser_here_and_the_owner_elsewhere(
    make_settings: MakeSettings,
) -> None:
    found = make_settings(**NEON, **SOURCE)

    assert {name: str(found.highest(name)) for name in ("local", "neon", "source")} == {
        "local": "postgres@127.0.0.1:5432/trading",
        "neon": "owner@ep-1.neon.tech:5432/trading",
        "source": "postgres@127.0.0.1:5432/old",
    }


def test_nobody_may_do_anything_in_a_target_that_is_not_configured(
    make_settings: MakeSettings,
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_settings().highest("neon")

    assert caught.value.message == "target neon: fill in NEON_DB_* in .env"
    assert caught.value.hint == "Run `invoke target-set neon`, or correct these lines in .env."


def test_only_the_local_owner_may_do_everything(make_settings: MakeSettings) -> None:
    found = make_settings().targets()

    assert [target.name for target in found if target.capabilities.superuser] == ["local"]
    assert [target.name for target in found if target.capabilities.renames_databases] == [
        "local",
        "neon",
    ]


def test_settings_show_no_password(make_settings: MakeSettings) -> None:
    shown = repr(make_settings(**NEON, **SOURCE))

    assert [name for name in PASSWORD_NAMES if f"secret of {name}" in shown] == []
    assert "neon secret" not in shown
    assert "source secret" not in shown
