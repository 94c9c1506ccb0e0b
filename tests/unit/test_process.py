from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from infra import process
from infra.process import Completed, SubprocessRunner

MEGABYTE = 1 << 20
MISSING = "slipway-no-such-program"


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


def run(code: str, stdin: str | None = None) -> Completed:
    return SubprocessRunner().run(python(code), stdin=stdin)


def test_both_streams_and_the_exit_code_are_captured() -> None:
    answer = run("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")

    assert (answer.returncode, answer.stdout, answer.stderr) == (3, "out\n", "err\n")
    assert not answer.ok


def test_the_words_are_remembered() -> None:
    answer = run("pass")

    assert answer == Completed(tuple(python("pass")), 0, "", "")
    assert answer.ok


def test_no_shell_looks_at_the_words() -> None:
    argv = [*python("import sys; print(sys.argv[1:])"), "a b", "$HOME", "*", "; echo x"]

    assert SubprocessRunner().run(argv).stdout == "['a b', '$HOME', '*', '; echo x']\n"


def test_a_missing_program_is_exit_code_127() -> None:
    answer = SubprocessRunner().run([MISSING, "x"])

    assert (answer.argv, answer.returncode) == ((MISSING, "x"), 127)
    assert MISSING in answer.stderr


def test_text_goes_in_and_comes_out_unchanged() -> None:
    text = "päss wörd\t漢字 \N{ROCKET} '\"\\$\n"

    answer = run("import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())", stdin=text)
    assert answer.stdout == text


def test_without_text_a_program_finds_an_empty_input() -> None:
    assert run("import sys; print(repr(sys.stdin.read()))").stdout == "''\n"


def test_bytes_that_are_no_text_do_not_stop_the_capture() -> None:
    assert (
        run("import sys; sys.stdout.buffer.write(b'a\\xffb')").stdout
        == "a\N{REPLACEMENT CHARACTER}b"
    )


def test_lines_of_the_error_stream_are_told_in_order() -> None:
    seen: list[str] = []

    answer = SubprocessRunner().run(
        python("import sys\nfor n in range(100): print('line', n, file=sys.stderr)"),
        on_stderr=seen.append,
    )

    assert seen == [f"line {number}" for number in range(100)]
    assert answer.stderr.splitlines() == seen


def test_lines_are_told_while_the_program_runs(tmp_path: Path) -> None:
    heard = tmp_path / "heard"

    answer = SubprocessRunner().run(
        python(
            "import os, sys, time\n"
            "print('working', file=sys.stderr, flush=True)\n"
            "end = time.monotonic() + 5\n"
            f"while not os.path.exists({str(heard)!r}) and time.monotonic() < end:\n"
            "    time.sleep(0.01)\n"
            f"sys.exit(not os.path.exists({str(heard)!r}))\n"
        ),
        on_stderr=lambda _: heard.touch(),
    )

    assert answer.ok


@pytest.mark.parametrize("length", [10, 3 * MEGABYTE])
def test_a_program_that_closes_its_input_early_explains_itself(length: int) -> None:
    answer = run(
        "import os, sys\nos.close(0)\nprint('no password wanted', file=sys.stderr)\nos._exit(9)",
        stdin="x" * length,
    )

    assert answer.returncode == 9


def test_big_outputs_on_both_streams_do_not_block_each_other() -> None:
    answer = run(
        "import sys\n"
        f"sys.stderr.write('e' * {MEGABYTE})\nsys.stdout.write('o' * {MEGABYTE})\n"
        f"sys.stderr.write('e' * {MEGABYTE})\n"
    )

    assert (len(answer.stdout), len(answer.stderr)) == (MEGABYTE, 2 * MEGABYTE)


def test_the_environment_is_passed_on_with_english_messages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FROM_OUTSIDE", "1")
    monkeypatch.setenv("LC_MESSAGES", "de_DE.UTF-8")
    show = "import os; print([os.environ.get(n) for n in ('FROM_OUTSIDE', 'LC_MESSAGES', 'X')])"

    answer = SubprocessRunner().run(python(show), env={"X": "added"})
    assert answer.stdout == "['1', 'C', 'added']\n"


@pytest.mark.parametrize("obeys", [True, False])
def test_an_interrupted_run_ends_its_program(
    monkeypatch: pytest.MonkeyPatch, *, obeys: bool
) -> None:
    monkeypatch.setattr(process, "_GRACE", 0.2)
    handler = "SIG_DFL" if obeys else "SIG_IGN"
    pids: list[int] = []
    started = time.monotonic()

    def interrupt(line: str) -> None:
        pids.append(int(line))
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        SubprocessRunner().run(
            python(
                "import os, signal, sys, time\n"
                f"signal.signal(signal.SIGTERM, signal.{handler})\n"
                "print(os.getpid(), file=sys.stderr, flush=True)\n"
                "time.sleep(8)\n"
            ),
            on_stderr=interrupt,
        )

    # It is gone, and waited for: no zombie either.
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
    assert time.monotonic() - started < 4


def test_one_programs_output_feeds_the_other() -> None:
    answer = SubprocessRunner().pipe(
        python("print('over the pipe')"),
        python("import sys; print(sys.stdin.read().upper(), end='')"),
    )

    assert (answer.ok, answer.stdout) == (True, "OVER THE PIPE\n")


def test_the_producers_failure_is_returned() -> None:
    producer = python("import sys; print('half'); sys.exit('no space')")

    answer = SubprocessRunner().pipe(producer, python("import sys; sys.stdin.read()"))
    assert answer == Completed(tuple(producer), 1, "", "no space\n")


def test_the_consumers_failure_is_returned() -> None:
    consumer = python("import sys; sys.stdin.read(); print('out'); sys.exit('bad input')")

    answer = SubprocessRunner().pipe(python("print('all')"), consumer)
    assert answer == Completed(tuple(consumer), 1, "out\n", "bad input\n")


def test_a_consumer_that_dies_ends_the_producer() -> None:
    consumer = python("import sys; sys.exit('died')")

    answer = SubprocessRunner().pipe(
        python("import sys\nwhile True: sys.stdout.write('x' * 65536)"), consumer
    )
    assert answer == Completed(tuple(consumer), 1, "", "died\n")


@pytest.mark.parametrize("order", [lambda *both: both, lambda *both: both[::-1]])
def test_a_missing_program_in_a_pipe_is_exit_code_127(
    order: Callable[..., tuple[list[str], list[str]]],
) -> None:
    answer = SubprocessRunner().pipe(*order([MISSING], python("import sys; sys.stdin.read()")))

    assert (answer.argv, answer.returncode) == ((MISSING,), 127)


def test_a_producer_that_complains_at_length_does_not_block_the_pipe() -> None:
    # In a process of its own, which can be ended when it blocks.
    code = (
        "import sys\n"
        "from infra.process import SubprocessRunner\n"
        "complain = [sys.executable, '-c', 'import sys; sys.stderr.write(\"e\" * 300000)']\n"
        "take = [sys.executable, '-c', 'import sys; sys.stdin.read()']\n"
        "print(SubprocessRunner().pipe(complain, take).ok)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=Path(process.__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        try:
            answer, _ = child.communicate(timeout=2)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            answer, _ = child.communicate()

    assert answer == "True\n"


def test_a_program_on_the_terminal_gives_its_exit_code(tmp_path: Path) -> None:
    code = f"import os, sys; sys.exit(4 if os.getcwd() == {str(tmp_path)!r} else 5)"

    assert SubprocessRunner().attach(python(code), cwd=tmp_path) == 4


def test_a_missing_program_on_the_terminal_is_exit_code_127() -> None:
    assert SubprocessRunner().attach([MISSING]) == 127


def test_a_program_that_a_signal_ended_counts_as_in_a_shell() -> None:
    assert SubprocessRunner().attach(python("import os; os.kill(os.getpid(), 15)")) == 128 + 15


def test_at_ctrl_c_a_program_on_the_terminal_ends_in_its_own_way_first(tmp_path: Path) -> None:
    cleaned = tmp_path / "cleaned"
    code = (
        "import os, signal, time\n"
        "os.kill(os.getppid(), signal.SIGINT)\n"
        "time.sleep(0.2)\n"
        f"open({str(cleaned)!r}, 'w').close()\n"
    )

    with pytest.raises(KeyboardInterrupt):
        SubprocessRunner().attach(python(code + "raise SystemExit(1)"))
    assert cleaned.exists()

    # psql takes Ctrl-C for the end of a query, not for its own.
    assert SubprocessRunner().attach(python(code)) == 0
