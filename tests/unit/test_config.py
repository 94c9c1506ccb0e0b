from __future__ import annotations

from pathlib import Path

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from backend import config
from backend.config import Config, Endpoint, Secret
from backend.errors import ConfigurationError
from backend.variables import Variables
from tests.unit.conftest import write_env

LOCAL = {
    "SLIPWAY_IN_CONTAINER": "0",
    "DB_TARGET": "local",
    "DB_NAME": "trading",
    "DB_USER": "app",
    "DB_PASSWORD": "app secret",
    "DB_OWNER_USER": "owner",
    "DB_OWNER_PASSWORD": "owner secret",
    "POSTGRES_PASSWORD": "root secret",
}

NEON = {
    "SLIPWAY_IN_CONTAINER": "0",
    "DB_TARGET": "neon",
    "NEON_DB_HOST": "ep-cool-1.eu-central-1.aws.neon.tech",
    "NEON_DB_NAME": "trading",
    "NEON_DB_USER": "owner",
    "NEON_DB_PASSWORD": "neon secret",
}

# It needs a file of CA certificates besides, which `certificate` makes.
SUPABASE = {
    "SLIPWAY_IN_CONTAINER": "0",
    "DB_TARGET": "supabase",
    "SUPABASE_DB_HOST": "aws-0-eu.pooler.supabase.com",
    "SUPABASE_DB_NAME": "postgres",
    "SUPABASE_DB_USER": "postgres.abc",
    "SUPABASE_DB_PASSWORD": "supabase secret",
}


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    path = tmp_path / ".env"
    path.write_text("", encoding="utf-8")
    return path


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Make a CA beside `.env`."""
    path = tmp_path / "ca.crt"
    trustme.CA().cert_pem.write_to_path(path)
    return path


def problems(environ: dict[str, str], env_file: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        config.load(environ, env_file)
    assert caught.value.hint == "Correct these lines in .env; .env.example explains each of them."
    return caught.value.message


def test_all_problems_come_in_one_error(empty: Path) -> None:
    environ = LOCAL | {"DB_PORT": "many", "DB_USER": "", "DB_OWNER_PASSWORD": "change-me"}

    assert problems(environ, empty) == (
        "settings cannot be used: DB_PORT is not a port number: 'many'; "
        "DB_OWNER_PASSWORD is still the placeholder 'change-me'; DB_USER is missing"
    )


def test_the_example_itself_cannot_be_used(tmp_path: Path) -> None:
    env_file = write_env(tmp_path, DB_PASSWORD="change-me", POSTGRES_PASSWORD="change-me")

    message = problems({}, env_file)

    assert "DB_PASSWORD is still the placeholder 'change-me'" in message
    assert "POSTGRES_PASSWORD is still the placeholder 'change-me'" in message


@pytest.mark.parametrize("port", ["0", "65536", "-1", "5432.0", "5 432", "٥٤٣٢", "²"])
def test_a_port_is_a_number_from_1_to_65535(empty: Path, port: str) -> None:
    message = problems(LOCAL | {"DB_PORT": port}, empty)

    assert message == f"settings cannot be used: DB_PORT is not a port number: {port!r}"


@pytest.mark.parametrize("port", ["1", "65535"])
def test_the_first_and_the_last_port_can_be_used(empty: Path, port: str) -> None:
    assert config.load(LOCAL | {"DB_PORT": port}, empty).app.port == int(port)


def test_a_target_is_one_of_three(empty: Path) -> None:
    message = problems(LOCAL | {"DB_TARGET": "source"}, empty)

    assert message == (
        "settings cannot be used: DB_TARGET is 'source', not one of local, supabase, neon"
    )


@pytest.mark.parametrize("sslmode", ["yes", "allow", "prefer"])
def test_a_hosted_database_is_never_reached_in_plaintext_by_chance(
    empty: Path, sslmode: str
) -> None:
    message = problems(NEON | {"NEON_DB_SSLMODE": sslmode}, empty)

    assert message == (
        f"settings cannot be used: NEON_DB_SSLMODE is {sslmode!r}, not one of "
        "disable, require, verify-ca, verify-full"
    )


def test_on_the_host_the_published_address_is_used(empty: Path) -> None:
    found = config.load(LOCAL | {"DB_HOST": "127.0.0.1", "DB_PORT": "15432"}, empty)

    assert (str(found.app), str(found.admin), str(found.superuser)) == (
        "app@127.0.0.1:15432/trading",
        "owner@127.0.0.1:15432/trading",
        "postgres@127.0.0.1:15432/trading",
    )


def test_in_a_container_service_names_are_used(empty: Path) -> None:
    inside = LOCAL | {
        "SLIPWAY_IN_CONTAINER": "1",
        "DB_HOST": "127.0.0.1",
        "DB_PORT": "15432",
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": "16379",
        "REDIS_PASSWORD": "redis secret",
    }

    found = config.load(inside, empty)

    assert (str(found.app), str(found.admin)) == (
        "app@db:5432/trading",
        "owner@db:5432/trading",
    )
    assert found.redis == config.RedisEndpoint("redis", 6379, Secret("redis secret"))


def test_a_cloud_host_is_the_same_in_a_container(empty: Path) -> None:
    inside = config.load(NEON | {"SLIPWAY_IN_CONTAINER": "1"}, empty)

    assert inside == config.load(NEON, empty)


@pytest.mark.parametrize(("said", "inside"), [("1", True), ("0", False)])
@pytest.mark.parametrize("marked", [True, False])
def test_what_compose_says_beats_container_marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, *, inside: bool, marked: bool
) -> None:
    mark = tmp_path / ".dockerenv"
    monkeypatch.setattr(config, "_CONTAINER_MARKS", (mark,))
    if marked:
        mark.touch()

    assert config.runs_in_container({"SLIPWAY_IN_CONTAINER": said}) is inside


@pytest.mark.parametrize("marked", [True, False])
def test_where_compose_says_nothing_the_marks_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, marked: bool
) -> None:
    mark = tmp_path / ".dockerenv"
    monkeypatch.setattr(config, "_CONTAINER_MARKS", (tmp_path / "never", mark))
    if marked:
        mark.touch()

    assert config.runs_in_container({}) is marked


def test_neons_pool_host_is_derived(empty: Path) -> None:
    found = config.load(NEON, empty)

    assert found.admin.host == "ep-cool-1.eu-central-1.aws.neon.tech"
    assert found.app.host == "ep-cool-1-pooler.eu-central-1.aws.neon.tech"
    assert (found.app.port, found.app.user) == (5432, "owner")


def test_a_neon_host_that_is_pooled_already_stays(empty: Path) -> None:
    host = "ep-cool-1-pooler.eu-central-1.aws.neon.tech"

    assert config.load(NEON | {"NEON_DB_HOST": host}, empty).app.host == host


def test_a_pool_host_that_is_set_is_not_derived(empty: Path) -> None:
    found = config.load(
        NEON | {"NEON_DB_POOL_HOST": "pool.example", "NEON_DB_POOL_PORT": "6432"}, empty
    )

    assert (found.app.host, found.app.port) == ("pool.example", 6432)


def test_supabases_application_uses_the_admin_host_unless_told_otherwise(
    empty: Path, certificate: Path
) -> None:
    found = config.load(SUPABASE | {"SUPABASE_DB_SSLROOTCERT": str(certificate)}, empty)

    assert str(found.app) == str(found.admin)


def test_supabases_application_uses_the_pooler_that_is_set(empty: Path, certificate: Path) -> None:
    pool = {
        "SUPABASE_DB_SSLROOTCERT": str(certificate),
        "SUPABASE_DB_POOL_HOST": "pool.example",
        "SUPABASE_DB_POOL_PORT": "6543",
        "SUPABASE_DB_POOL_USER": "app.abc",
    }

    found = config.load(SUPABASE | pool, empty)

    assert str(found.app) == "app.abc@pool.example:6543/postgres"
    assert str(found.admin) == "postgres.abc@aws-0-eu.pooler.supabase.com:5432/postgres"


@pytest.mark.parametrize("environ", [NEON, SUPABASE])
def test_hosted_databases_are_checked_in_full_by_default(
    empty: Path, certificate: Path, environ: dict[str, str]
) -> None:
    found = config.load(environ | {"SUPABASE_DB_SSLROOTCERT": str(certificate)}, empty)

    assert (found.admin.sslmode, found.app.sslmode) == ("verify-full", "verify-full")


@pytest.mark.parametrize("written", ["", "system"])
def test_neon_is_trusted_through_the_machines_store(empty: Path, written: str) -> None:
    found = config.load(NEON | {"NEON_DB_SSLROOTCERT": written}, empty)

    assert (found.admin.sslrootcert, found.app.sslrootcert) == ("system", "system")


@pytest.mark.parametrize("sslmode", ["verify-ca", "verify-full"])
def test_supabase_is_trusted_through_a_file_that_must_be_fetched(empty: Path, sslmode: str) -> None:
    message = problems(SUPABASE | {"SUPABASE_DB_SSLMODE": sslmode}, empty)

    assert message == (
        "settings cannot be used: SUPABASE_DB_SSLROOTCERT is missing: Supabase signs with a CA of"
        " its own, whose certificate is in the project's dashboard under Database settings"
    )


@pytest.mark.parametrize("written", ["", "system"])
def test_the_machines_store_vouches_for_names_only(empty: Path, written: str) -> None:
    message = problems(
        NEON | {"NEON_DB_SSLMODE": "verify-ca", "NEON_DB_SSLROOTCERT": written}, empty
    )

    assert message == (
        "settings cannot be used: NEON_DB_SSLROOTCERT names no file, and any server has a"
        " certificate that the machine trusts: verify-full asks for the right name as well"
    )


@pytest.mark.parametrize("sslmode", ["require", "disable"])
@pytest.mark.parametrize("environ", [NEON, SUPABASE])
def test_who_asks_for_no_certificate_needs_none(
    empty: Path, environ: dict[str, str], sslmode: str
) -> None:
    chosen = {"NEON_DB_SSLMODE": sslmode, "SUPABASE_DB_SSLMODE": sslmode}

    found = config.load(environ | chosen, empty)

    assert (found.admin.sslmode, found.admin.certificates()) == (sslmode, None)


def test_without_tls_no_file_is_looked_at(empty: Path) -> None:
    chosen = {"NEON_DB_SSLMODE": "disable", "NEON_DB_SSLROOTCERT": "nowhere.pem"}

    assert config.load(NEON | chosen, empty).admin.sslrootcert is None


def test_a_certificate_is_found_where_compose_looks_for_it(
    empty: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(certificate.parent))
    name = certificate.name

    for written in (name, f"./{name}", f"~/{name}", str(certificate)):
        found = config.load(NEON | {"NEON_DB_SSLROOTCERT": written}, empty)

        assert found.app.certificates() == certificate


def test_a_file_without_a_certificate_comes_with_the_other_problems(empty: Path) -> None:
    message = problems(NEON | {"NEON_DB_USER": "", "NEON_DB_SSLROOTCERT": ".env"}, empty)

    assert message == (
        "settings cannot be used: NEON_DB_USER is missing; "
        "NEON_DB_SSLROOTCERT holds no certificate in PEM format: '.env'"
    )


def test_a_cloud_target_has_neither_superuser_nor_socket(empty: Path) -> None:
    found = config.load(NEON, empty)

    assert (found.superuser, found.socket_dir) == (None, None)


def test_without_a_redis_password_there_is_no_redis(empty: Path) -> None:
    assert config.load(LOCAL, empty).redis is None


def test_the_environment_beats_the_file(tmp_path: Path) -> None:
    env_file = write_env(tmp_path, DB_NAME="from_file", DB_USER="from_file")

    found = config.load({"DB_NAME": "from_environment"}, env_file)

    assert (found.app.database, found.app.user) == ("from_environment", "from_file")


def test_without_a_file_the_environment_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "ENV_FILE", tmp_path / "none")

    assert config.load(LOCAL).app.database == "trading"


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^\.env is missing$"):
        config.load(LOCAL, tmp_path / ".env")


# Long enough not to be part of anything else by chance.
# A sign of its own, so that no password is by chance a part of what may be shown.
PASSWORDS = st.text(
    st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), min_size=12
).map("\N{SNOWMAN}".__add__)


def endpoint(password: str) -> Endpoint:
    return Endpoint("neon", "app", "h.example", 5432, "d", "u", Secret(password), "verify-full")


@settings(max_examples=60)
@given(PASSWORDS)
def test_nothing_shows_a_password_unasked(password: str) -> None:
    one = endpoint(password)
    whole = Config("local", one, one, config.RedisEndpoint("r", 1, Secret(password)), one, None)
    shown = [
        repr(one.password),
        str(one.password),
        f"{one.password}",
        repr(one),
        str(one),
        repr(whole),
        str(one.sqlalchemy_url()),
        repr(one.sqlalchemy_url()),
    ]

    assert not [text for text in shown if password in text]


@settings(max_examples=60)
@given(PASSWORDS)
def test_the_drivers_get_the_password_as_it_is(password: str) -> None:
    assert endpoint(password).conninfo()["password"] == password
    assert endpoint(password).sqlalchemy_url().password == password


def test_the_drivers_get_the_whole_address(empty: Path, certificate: Path) -> None:
    admin = config.load(NEON | {"NEON_DB_SSLROOTCERT": str(certificate)}, empty).admin

    assert admin.conninfo() == {
        "host": "ep-cool-1.eu-central-1.aws.neon.tech",
        "port": 5432,
        "dbname": "trading",
        "user": "owner",
        "password": "neon secret",
        "sslmode": "verify-full",
        "sslrootcert": str(certificate),
        "gssencmode": "disable",
        "connect_timeout": 15,
    }
    assert dict(admin.sqlalchemy_url().query) == {
        "sslmode": "verify-full",
        "sslrootcert": str(certificate),
        "gssencmode": "disable",
        "connect_timeout": "15",
    }
    assert (
        admin.sqlalchemy_url()
        .render_as_string(hide_password=True)
        .startswith(
            "postgresql+psycopg://owner:***@ep-cool-1.eu-central-1.aws.neon.tech:5432/trading?"
        )
    )


def test_the_drivers_get_the_machines_store_as_a_file(
    empty: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    admin = config.load(NEON, empty).admin

    assert admin.conninfo()["sslrootcert"] == str(certificate)
    assert admin.sqlalchemy_url().query["sslrootcert"] == str(certificate)


def test_the_source_is_checked_as_far_as_it_is_asked_for(tmp_path: Path, certificate: Path) -> None:
    def source(**values: str) -> Endpoint:
        named = {f"SOURCE_DB_{name}": value for name, value in values.items()}
        return config.source_endpoint(Variables(named, tmp_path))

    assert (source().sslmode, source().certificates()) == ("prefer", None)
    assert source(SSLMODE="verify-full").sslrootcert == "system"
    found = source(SSLMODE="verify-ca", SSLROOTCERT=certificate.name)
    assert found.certificates() == certificate
