from __future__ import annotations

import io
import stat
import string
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backend import envfile
from backend.errors import ConfigurationError

# Whatever can stand on one line. Line ends and NUL are refused, surrogates are no text.
ONE_LINE = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]))
# The characters that readers of such files fight over.
AWKWARD = st.text(alphabet="\\'\"$#{} =ab\t", max_size=12)


@settings(max_examples=150)
@given(ONE_LINE | AWKWARD)
@example(string.printable.replace("\n", "").replace("\r", ""))
@example("\\")
@example("\\\\")
@example("\\'")
@example("ends with a backslash\\")
@example("' #")
@example("a' # b")
@example('" # b')
@example("$HOME ${HOME} $$ \\$")
@example("#starts like a comment")
@example(" leading and trailing ")
@example("Grüße, 漢字, \N{ROCKET}")
@example("\N{BYTE ORDER MARK}")
@example("\N{LINE SEPARATOR}\x85\v\f")
def test_a_quoted_value_is_read_back_unchanged(value: str) -> None:
    assert envfile.parse(f"NAME={envfile.quote(value)}\n") == {"NAME": value}


@settings(max_examples=80)
@given(ONE_LINE | AWKWARD)
@example("it's $5 #1")
@example("plain-value_1.2/3:4@5%6+7,8=9")
def test_python_dotenv_reads_plain_and_single_quoted_forms_the_same_way(value: str) -> None:
    written = envfile.quote(value)

    if not written.startswith('"'):
        stream = io.StringIO(f"NAME={written}\n")
        assert dotenv_values(stream=stream, interpolate=False) == {"NAME": value}


@pytest.mark.parametrize("value", ["two\nlines", "carriage\rreturn", "nul\0"])
def test_a_value_with_a_line_end_cannot_be_written(value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        envfile.quote(value)

    assert caught.value.message == "a value with a line end cannot stand in .env"
    assert caught.value.hint == "Choose a value of one line."


def test_a_plain_value_needs_no_quotes() -> None:
    assert envfile.quote("timescale/timescaledb:latest-pg14") == "timescale/timescaledb:latest-pg14"


def test_windows_line_ends_are_no_part_of_values() -> None:
    assert envfile.parse("A=1\r\nB='two words'\r\nC=\r\n") == {"A": "1", "B": "two words", "C": ""}


def test_comments_and_empty_lines_hold_no_variables() -> None:
    text = "# A=1\n\n   # B=2\nC=3\n"

    assert envfile.parse(text) == {"C": "3"}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("NAME=plain # a comment", "plain"),
        ("NAME='single' # a comment", "single"),
        ('NAME="double" # a comment', "double"),
        ("NAME=with#hash", "with#hash"),
        ("NAME='with # hash' # a comment", "with # hash"),
        ("NAME='x'#comment", "x"),
        ("export NAME=exported", "exported"),
        ("NAME = spaced", "spaced"),
        ("NAME=", ""),
        (r'NAME="a\$b"', "a$b"),
        ("NAME=a$$b", "a$b"),
    ],
)
def test_a_line_means_what_compose_takes_it_for(line: str, value: str) -> None:
    assert envfile.parse(line + "\n") == {"NAME": value}


@pytest.mark.parametrize(
    "line",
    ["NAME='abc' # don't", 'NAME="abc" # the "old" one', 'NAME=abc # don\'t say "no"'],
)
def test_quotes_in_a_comment_are_no_part_of_the_value(line: str) -> None:
    assert envfile.parse(line + "\n") == {"NAME": "abc"}


@pytest.mark.parametrize("line", ["NAME=1 # costs $HOME", "NAME='1' # $HOME", 'NAME="1" # $HOME'])
def test_a_dollar_sign_in_a_comment_is_no_variable(line: str) -> None:
    assert envfile.parse(line + "\n") == {"NAME": "1"}


def test_a_hash_at_the_start_of_a_value_is_no_comment() -> None:
    assert envfile.parse("NAME=#abc\n") == {"NAME": "#abc"}


@pytest.mark.parametrize("value", ["$HOME", "a${HOME}b", '"$HOME"', r"a\$HOME"])
def test_a_dollar_sign_that_compose_expands_is_named_with_its_line(value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        envfile.parse(f"# first\nA=1\nNAME={value}\n")

    assert caught.value.message == ".env: line 3: NAME holds a $ that Compose expands"
    assert caught.value.hint == "Put values with special characters between single quotes."


def test_a_dollar_sign_between_single_quotes_is_just_that() -> None:
    assert envfile.parse("NAME='$HOME'\n") == {"NAME": "$HOME"}


def test_a_line_that_sets_nothing_is_named_with_its_line() -> None:
    with pytest.raises(ConfigurationError) as caught:
        envfile.parse("A=1\nthis is no setting\n")

    assert caught.value.message == ".env: line 2 is not of the form NAME=value"


def test_lines_are_counted_with_the_empty_ones() -> None:
    with pytest.raises(ConfigurationError) as caught:
        envfile.parse("A=1\n\n\nB=$HOME\n\nno setting\n")

    assert caught.value.message == (
        ".env: line 4: B holds a $ that Compose expands; line 6 is not of the form NAME=value"
    )


def test_an_opened_quote_that_never_closes_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="line 1 is not of the form NAME=value"):
        envfile.parse("A='open\n")


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"\xef\xbb\xbfA=1\n")

    assert envfile.read(path) == {"A": "1"}


def test_a_missing_file_is_named_with_the_way_to_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        envfile.read(tmp_path / ".env")

    assert caught.value.message == ".env is missing"
    assert caught.value.hint == (
        "Run `python3 scripts/bootstrap.py`, or copy .env.example to .env and fill it in."
    )


def test_a_folder_in_the_files_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()

    with pytest.raises(ConfigurationError) as caught:
        envfile.read(tmp_path / ".env")

    assert caught.value.message == ".env cannot be read: is a directory"
    assert caught.value.hint == f"Give your user the right to read {tmp_path / '.env'}."


def test_a_file_that_is_not_utf8_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("A=Grüße\n".encode("latin-1"))

    with pytest.raises(ConfigurationError) as caught:
        envfile.read(tmp_path / ".env")

    assert caught.value.message == ".env is not UTF-8 text"
    assert caught.value.hint == "Save the file as UTF-8 in your editor."


def test_an_update_keeps_every_other_line_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"# head \t\n\nA=1\nexport B='old' # why\n\n #B=no\nC = x\t\n")

    envfile.update(path, {"B": "new value", "D": "4"})

    assert path.read_bytes() == b"# head \t\n\nA=1\nB='new value'\n\n #B=no\nC = x\t\nD=4\n"


def test_an_update_keeps_windows_line_ends(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"A=1\r\nB=2\r\n# tail")

    envfile.update(path, {"A": "one", "C": "3"})

    assert path.read_bytes() == b"A=one\r\nB=2\r\n# tail\r\nC=3\r\n"


@pytest.mark.parametrize("value", [r"\1 \g<0> \n", "$1 & more", "back\\"])
def test_an_update_takes_values_as_they_are(tmp_path: Path, value: str) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\nB=2\n", encoding="utf-8")

    envfile.update(path, {"A": value})

    assert envfile.read(path) == {"A": value, "B": "2"}


def test_an_updated_file_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n", encoding="utf-8")
    path.chmod(0o644)

    envfile.update(path, {"A": "2"})

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_update_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n", encoding="utf-8")

    def full(source: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(source), None, str(target))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        envfile.update(path, {"A": "2"})

    assert path.read_text(encoding="utf-8") == "A=1\n"
    assert [entry.name for entry in tmp_path.iterdir()] == [".env"]
