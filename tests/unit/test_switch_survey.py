from __future__ import annotations

import pytest

from backend.config import Endpoint, Secret
from infra import switch_survey
from infra.errors import RefusedError, SlipwayError, TargetError, TargetLostError
from infra.migrations import SchemaState
from infra.settings import Settings
from infra.switch_survey import Surveyed, look, migrates, require
from tests.unit.conftest import MakeSettings
from tests.unit.stacks import NEON


def surveyed(name: str, *state: str) -> Surveyed:
    """Return a target whose schema has a status, and stands at these revisions."""
    endpoint = Endpoint(name, "admin", "h", 1, "trading", "owner", Secret("secret"))
    if not state:
        return Surveyed(name, endpoint, problem="nothing answers")
    status, *current = state
    schema = SchemaState(tuple(current), "0002", status)  # type: ignore[arg-type]
    return Surveyed(name, endpoint, size=1, schema=schema, written=0)


@pytest.mark.parametrize("old", [("at head", "0002"), ("foreign",), ()])
@pytest.mark.parametrize("new", [("at head", "0002"), ("behind", "0001"), ("empty",), ()])
def test_a_schema_that_alembic_knows_is_migrated(
    new: tuple[str, ...], old: tuple[str, ...]
) -> None:
    assert migrates(surveyed("neon", *new), surveyed("local", *old))


@pytest.mark.parametrize("state", [("foreign",), ("unknown revision", "0009")])
def test_a_schema_that_nobody_knows_is_used_where_the_stack_is_on_such_a_one(
    state: tuple[str, ...],
) -> None:
    assert not migrates(surveyed("neon", *state), surveyed("local", *state))


@pytest.mark.parametrize(
    ("new", "old", "message"),
    [
        (
            ("foreign",),
            ("at head", "0002"),
            "the schema of neon is not known to alembic, unlike that of local",
        ),
        (
            ("unknown revision", "0009"),
            ("unknown revision", "0008"),
            (
                "the schema of neon is at 0009, a revision that this code does not know, "
                "unlike that of local"
            ),
        ),
        (
            ("foreign",),
            (),
            "the schema of neon is not known to alembic, and local does not answer",
        ),
    ],
)
def test_any_other_schema_that_nobody_knows_is_refused(
    new: tuple[str, ...], old: tuple[str, ...], message: str
) -> None:
    with pytest.raises(RefusedError) as caught:
        migrates(surveyed("neon", *new), surveyed("local", *old))

    assert caught.value.message == message
    assert "`invoke transfer --from local --to neon`" in caught.value.hint


def failing(monkeypatch: pytest.MonkeyPatch, error: SlipwayError) -> None:
    def survey(settings: Settings) -> Surveyed:
        del settings
        raise error

    monkeypatch.setattr(switch_survey, "_survey", survey)


def test_a_target_that_is_left_need_not_answer(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, TargetLostError("nothing answers", "Start it."))

    found = look(make_settings(**NEON))

    assert (found.name, found.problem, found.schema) == ("neon", "nothing answers", None)


def test_a_local_database_with_another_password_is_left_to_the_migrator(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, TargetError("refuses user 'postgres'", "Check it."))

    assert require(make_settings()).problem == "refuses user 'postgres'"


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({}, TargetLostError("nothing answers", "Start it.")),
        (NEON, TargetError("refuses user 'owner'", "Check it.")),
        (NEON, RefusedError("may make neither", "Set it.")),
    ],
)
def test_a_target_that_is_to_be_used_has_to_answer(
    make_settings: MakeSettings,
    monkeypatch: pytest.MonkeyPatch,
    values: dict[str, str],
    error: SlipwayError,
) -> None:
    failing(monkeypatch, error)

    with pytest.raises(type(error)):
        require(make_settings(**values))
