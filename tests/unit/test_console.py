from __future__ import annotations

import io

import pytest

from infra.console import Console
from infra.errors import RefusedError


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Put somebody in front of the terminal."""
    monkeypatch.setattr(Console, "interactive", property(lambda _: True))
    return monkeypatch


def ask(console: Console) -> None:
    console.confirm(source="a", target="b", question="Replace the database?", yes=False)


@pytest.mark.parametrize("answer", ["y", "Y", "yes", " YES "])
def test_a_yes_goes_on_and_the_question_says_what_can_be_answered(
    person: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str
) -> None:
    person.setattr("sys.stdin", io.StringIO(f"{answer}\n"))

    ask(Console())

    assert capsys.readouterr().out == "From: a\nTo:   b\nReplace the database? [y/N] "


@pytest.mark.parametrize("answer", ["", "\n", "n\n", "no\n", "yeah\n", "ja\n"])
def test_anything_else_changes_nothing(person: pytest.MonkeyPatch, answer: str) -> None:
    person.setattr("sys.stdin", io.StringIO(answer))

    with pytest.raises(RefusedError, match="not confirmed, nothing was changed"):
        ask(Console())
