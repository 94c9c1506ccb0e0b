from __future__ import annotations

import getpass
import io

import pytest

from infra.console import Console
from infra.errors import RefusedError, UsageError


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Put somebody in front of the terminal."""
    monkeypatch.setattr(Console, "interactive", property(lambda _: True))
    return monkeypatch


def ask(console: Console, *, name: str = "", yes: bool = False) -> None:
    question = "Replace the database?"
    console.confirm(source="a", target="b", question=question, yes=yes, name=name)


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


@pytest.mark.parametrize("answer", ["neon\n", " neon \n"])
def test_a_target_that_is_named_in_full_is_agreed_to(
    person: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str
) -> None:
    person.setattr("sys.stdin", io.StringIO(answer))

    ask(Console(), name="neon")

    question = capsys.readouterr().out.splitlines()[-1]
    assert question == "Replace the database? [type 'neon' to go on] "


@pytest.mark.parametrize("answer", ["", "\n", "y\n", "yes\n", "NEON\n", "neo\n", "neon2\n"])
def test_a_target_that_is_not_named_in_full_stays_as_it_is(
    person: pytest.MonkeyPatch, answer: str
) -> None:
    person.setattr("sys.stdin", io.StringIO(answer))

    with pytest.raises(RefusedError, match="not confirmed, nothing was changed") as caught:
        ask(Console(), name="neon")
    assert caught.value.hint == "Answer neon to go on."


@pytest.mark.parametrize(("name", "option"), [("", "--yes"), ("neon", "--yes neon")])
def test_where_nobody_can_be_asked_the_hint_says_what_to_add(name: str, option: str) -> None:
    with pytest.raises(RefusedError) as caught:
        ask(Console(), name=name)

    assert caught.value.hint == f"Run it on a terminal, or add {option}."


@pytest.mark.parametrize("name", ["", "neon"])
def test_who_has_agreed_already_is_shown_both_ends_and_not_asked(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    ask(Console(), name=name, yes=True)

    assert capsys.readouterr().out == "From: a\nTo:   b\n"


def test_an_answer_is_the_line_that_was_typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a pooler\n"))

    assert Console().ask("host [of it]: ") == "a pooler"
    assert capsys.readouterr().out == "host [of it]: "


def test_who_ends_the_input_answers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))

    assert Console().ask("host: ") == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_secret_is_asked_of_a_terminal_without_echo(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def answer(question: str) -> str:
        asked.append(question)
        return "p [w]"

    monkeypatch.setattr("sys.stdin", Terminal("seen by everybody\n"))
    monkeypatch.setattr(getpass, "getpass", answer)

    assert Console().secret_input("string: ") == "p [w]"
    assert Console().ask("password: ", secret=True) == "p [w]"
    assert (asked, capsys.readouterr().out) == (["string: ", "password: "], "")


def test_a_secret_that_is_piped_in_is_all_of_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\N{BYTE ORDER MARK}first\r\nGrüße\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="ascii"))

    assert Console().secret_input("string: ") == "first\r\nGrüße\n"


def test_input_of_another_encoding_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("Grüße".encode("latin-1"))))

    with pytest.raises(UsageError, match="standard input is not UTF-8 text"):
        Console().secret_input("string: ")
