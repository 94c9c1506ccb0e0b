from __future__ import annotations

import string
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pytest
import trustme
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backend import envfile
from infra import target_setting
from infra.errors import UsageError
from infra.settings import load
from infra.target_setting import About
from tests.unit.conftest import example_values, write_env
from tests.unit.vendor_strings import (
    DIRECT,
    DIRECT_STRING,
    NEON,
    OTHER,
    PASSWORD,
    POOLER,
    REF,
    SESSION_STRING,
    TRANSACTION_STRING,
    Values,
    after,
    endpoints,
    neon,
    settle,
    supabase,
)

# Line ends and NUL cannot stand in .env, surrogates are no text.
ONE_LINE = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]))
CA = "prod-ca-2021.crt, from Database settings in Supabase's dashboard"


@pytest.fixture(name="example")
def values_of_the_example() -> Values:
    return example_values()


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    path = tmp_path / "prod-ca-2021.crt"
    trustme.CA().cert_pem.write_to_path(path)
    return path


def test_a_person_is_asked_for_what_cannot_be_derived(
    example: Values, tmp_path: Path, ca: Path
) -> None:
    draft = target_setting.draft(
        "supabase", supabase(DIRECT, 5432, "postgres", "[YOUR-PASSWORD]"), example, tmp_path
    )

    setting = draft.settle(
        {"password": "p w", "pooler": f" {POOLER} ", "certificate": str(ca)}, tmp_path
    )

    assert [(asked.about, asked.text) for asked in draft.questions()] == [
        ("password", "password of postgres, in the place of [YOUR-PASSWORD]: "),
        (
            "pooler",
            f"host of the transaction pooler, for the application; empty: none, it uses {DIRECT}: ",
        ),
        (
            "certificate",
            f"path of {CA}; empty: later: ",
        ),
    ]
    values = after(setting, example)
    assert endpoints("supabase", values, tmp_path)[1] == f"postgres.{REF}@{POOLER}:6543/postgres"
    assert values["SUPABASE_DB_PASSWORD"] == "p w"
    assert values["SUPABASE_DB_SSLROOTCERT"] == "./prod-ca-2021.crt"
    assert setting.next_steps == ("run `invoke probe supabase`",)


def test_a_person_who_answers_nothing_gets_what_there_is(example: Values, tmp_path: Path) -> None:
    setting = settle(
        "supabase", DIRECT_STRING, example, tmp_path, {"pooler": "", "certificate": ""}
    )

    assert "SUPABASE_DB_POOL_HOST" not in setting.changes
    assert setting.next_steps == (
        f"set SUPABASE_DB_SSLROOTCERT in .env to the path of {CA}",
        "run `invoke probe supabase`",
    )


@pytest.mark.parametrize("answer", [TRANSACTION_STRING, f"{POOLER}:6543", SESSION_STRING])
def test_the_poolers_whole_string_is_as_good_as_its_host(
    example: Values, tmp_path: Path, answer: str
) -> None:
    setting = settle("supabase", DIRECT_STRING, example, tmp_path, {"pooler": answer})

    assert setting.changes["SUPABASE_DB_POOL_HOST"] == POOLER
    assert setting.changes["SUPABASE_DB_POOL_PORT"] == "6543"


@pytest.mark.parametrize("answer", [DIRECT, NEON, "example.com"])
def test_what_is_no_pooler_is_refused_as_one(example: Values, tmp_path: Path, answer: str) -> None:
    with pytest.raises(UsageError, match="is none of Supabase's shared poolers"):
        settle("supabase", DIRECT_STRING, example, tmp_path, {"pooler": answer})


def test_the_session_pooler_leaves_no_question_of_a_pooler(
    example: Values, tmp_path: Path, ca: Path
) -> None:
    draft = target_setting.draft("supabase", SESSION_STRING, example, tmp_path, str(ca))

    assert draft.questions() == []
    (note,) = draft.remarks.notes
    assert note.startswith("the application uses the session pooler too")


@pytest.mark.parametrize("password", ["[YOUR-PASSWORD]", ""])
def test_without_a_password_the_one_in_env_is_kept_for_the_same_role_only(
    example: Values, tmp_path: Path, password: str
) -> None:
    values = after(settle("supabase", DIRECT_STRING, example, tmp_path), example)
    same = supabase(POOLER, 6543, f"postgres.{REF}", password)
    strings = [
        supabase(POOLER, 6543, f"postgres.{OTHER}", password),
        supabase(DIRECT, 5432, "somebody", password),
    ]

    draft = target_setting.draft("supabase", same, values, tmp_path)

    assert draft.questions()[0].text.endswith("; empty: the one in .env: ")
    assert "SUPABASE_DB_PASSWORD" not in draft.settle({}, tmp_path).changes
    for text in strings:
        with pytest.raises(UsageError) as caught:
            settle("supabase", text, values, tmp_path)
        assert caught.value.message == (
            f"the connection string holds {password or 'nothing'} in the place of a password"
        )


def test_the_password_in_env_goes_with_the_project_or_with_a_host_of_another_name(
    example: Values, tmp_path: Path
) -> None:
    values = after(settle("supabase", DIRECT_STRING, example, tmp_path), example)
    session = supabase(POOLER, 5432, f"postgres.{REF}", "[YOUR-PASSWORD]")
    named = after(settle("neon", neon("db.example.com"), example, tmp_path), example)
    without = neon("db.example.com").replace(f":{PASSWORD}", "")

    kept = settle("supabase", session, values, tmp_path)
    kept_too = settle("neon", without, named, tmp_path)

    assert "SUPABASE_DB_PASSWORD" not in kept.changes
    assert kept_too.changes == {}
    with pytest.raises(UsageError, match="in the place of a password"):
        settle("neon", without.replace("db.", "db2."), named, tmp_path)


def test_an_example_is_no_password_to_keep(example: Values, tmp_path: Path) -> None:
    values = example | {"NEON_DB_HOST": NEON, "NEON_DB_USER": "neondb_owner"}

    with pytest.raises(UsageError, match="holds nothing in the place of a password"):
        settle("neon", neon().replace(f":{PASSWORD}", ""), values, tmp_path)


def test_what_was_set_by_hand_for_a_host_of_another_name_stays(
    example: Values, tmp_path: Path, ca: Path
) -> None:
    text = neon("db.example.com")
    values = after(settle("neon", text, example, tmp_path, ca=str(ca)), example)
    values |= {"NEON_DB_POOL_HOST": "pool.example.com", "NEON_DB_POOL_PORT": "6432"}

    assert settle("neon", text, values, tmp_path).changes == {}
    assert settle("neon", neon("db2.example.com"), values, tmp_path).changes == {
        "NEON_DB_HOST": "db2.example.com",
        "NEON_DB_POOL_HOST": "db2.example.com",
        "NEON_DB_POOL_PORT": "",
        "NEON_DB_SSLROOTCERT": "",
    }


def test_the_active_target_needs_a_restart(example: Values, tmp_path: Path) -> None:
    values = example | {"DB_TARGET": "neon"}
    setting = settle("neon", neon(), values, tmp_path)

    assert setting.next_steps == (
        "run `invoke probe neon`",
        "run `invoke up`: the stack on neon still has the old lines",
    )
    assert settle("neon", neon(), after(setting, values), tmp_path).next_steps == (
        "run `invoke probe neon`",
    )


def test_a_ca_stands_in_env_so_that_compose_finds_it(
    example: Values, tmp_path: Path, ca: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "checkout"
    root.mkdir()
    monkeypatch.chdir(tmp_path)

    assert target_setting.certificate(ca.name, root) == str(ca)
    assert target_setting.certificate(ca.name, tmp_path) == "./prod-ca-2021.crt"
    named = f"{DIRECT_STRING}?sslmode=verify-full&sslrootcert={ca.name}"
    assert settle("supabase", named, example, root).changes["SUPABASE_DB_SSLROOTCERT"] == str(ca)


def test_a_ca_that_the_string_names_elsewhere_is_asked_for(example: Values, tmp_path: Path) -> None:
    text = f"{DIRECT_STRING}?sslmode=verify-full&sslrootcert=/nowhere/ca.crt"

    draft = target_setting.draft("supabase", text, example, tmp_path)

    assert draft.questions()[-1].about == "certificate"
    assert draft.remarks.notes == [
        "not taken over: sslrootcert, which names no certificate here",
    ]


def test_a_file_that_is_no_certificate_is_refused(
    example: Values, tmp_path: Path, ca: Path
) -> None:
    ca.write_text("not a certificate", encoding="utf-8")

    for path, fault in ((str(ca), "holds no certificate in PEM"), ("none.crt", "names no file")):
        with pytest.raises(UsageError, match=fault):
            target_setting.certificate(path, tmp_path)
        with pytest.raises(UsageError, match=fault):
            settle("supabase", DIRECT_STRING, example, tmp_path, {"certificate": path})


def test_a_ca_in_env_is_kept_and_warned_of_when_it_is_gone(
    example: Values, tmp_path: Path, ca: Path
) -> None:
    values = after(settle("supabase", DIRECT_STRING, example, tmp_path, ca=f"./{ca.name}"), example)
    ca.unlink()

    setting = settle("supabase", DIRECT_STRING, values, tmp_path)

    assert setting.changes == {}
    assert setting.warnings == ("SUPABASE_DB_SSLROOTCERT names no file: './prod-ca-2021.crt'",)


@pytest.mark.parametrize("target", ["local", "source", "oracle", ""])
def test_other_targets_take_no_string(target: str) -> None:
    with pytest.raises(UsageError, match=f"target {target!r} takes no connection string"):
        target_setting.require_vendor(target)


@pytest.mark.parametrize("target", [neon(), f"host={NEON} password={PASSWORD}", f"u:{PASSWORD}@h"])
def test_a_string_in_the_place_of_a_target_is_not_repeated(target: str) -> None:
    with pytest.raises(UsageError, match="not taken from the command line") as caught:
        target_setting.require_vendor(target)

    assert PASSWORD not in f"{caught.value.message}{caught.value.hint}"


@settings(max_examples=40)
@given(ONE_LINE, st.booleans())
@example(string.punctuation, True)
def test_any_password_arrives_at_the_endpoint_by_way_of_env(secret: str, asked: bool) -> None:
    secret = f"{secret}Kestrel"
    text = neon().replace(PASSWORD, "[YOUR-PASSWORD]" if asked else quote(secret, safe=""))
    answers: dict[About, str] = {"password": secret} if asked else {}
    with TemporaryDirectory() as folder:
        path = write_env(Path(folder))
        setting = settle("neon", text, envfile.read(path), path.parent, answers)
        target_setting.write(setting, path)
        admin = load(path.parent, {}).target("neon").admin

    assert admin
    assert admin.password.reveal() == secret


def test_nothing_shows_the_password(example: Values, tmp_path: Path) -> None:
    draft = target_setting.draft("neon", neon(), example, tmp_path)

    assert PASSWORD not in f"{draft!r} {draft.settle({}, tmp_path)!r}"


def test_lines_that_the_environment_overrides_are_named(
    example: Values, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ".env"
    path.write_text("NEON_DB_HOST=change-me\n", encoding="utf-8")
    monkeypatch.setenv("NEON_DB_HOST", "elsewhere.example.com")
    monkeypatch.setenv("NEON_DB_NAME", "neondb")

    overridden = target_setting.write(settle("neon", neon(), example, tmp_path), path)

    assert overridden == ["NEON_DB_HOST"]
    assert f"NEON_DB_HOST={NEON}\n" in path.read_text(encoding="utf-8")
