"""Where errors become exit codes: expected ones a line and a hint, unexpected ones a log."""

from __future__ import annotations

import functools
import os
import signal
import tempfile
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task as invoke_task

from infra.app import App
from infra.console import Console
from infra.errors import SlipwayError
from infra.process import Terminated

INTERRUPTED = 130
_ROOT = Path(__file__).resolve().parent.parent

Body = TypeVar("Body", bound=Callable[..., None])


def task(*, recovers: bool = True, **options: Any) -> Callable[[Body], Any]:  # noqa: ANN401
    """Declare an Invoke task whose body gets the App instead of Invoke's context.

    What a killed command left is settled first, unless the task has nothing to do with databases.
    """

    def declare(body: Body) -> Any:  # noqa: ANN401 - Invoke's Task is untyped
        @functools.wraps(body)
        def run(context: Context, *arguments: Any, **keywords: Any) -> None:  # noqa: ANN401
            del context
            if {"-h", "--help"} & {*arguments, *keywords.values()}:
                # Invoke takes it for the value of a positional argument.
                raise Exit(f"Run `invoke --help {body.__name__.replace('_', '-')}`.", code=1)

            def work(app: App) -> None:
                if recovers:
                    # Standard output is for the JSON alone where a program reads it.
                    app.recover(aside=bool(keywords.get("json")))
                body(app, *arguments, **keywords)

            guarded(work)

        return invoke_task(**options)(run)

    return declare


def guarded(work: Callable[[App], None]) -> None:
    """Run the work on a fresh App and leave through Invoke's Exit with the right code."""
    console = Console()
    received: list[int] = []

    def interrupt(number: int, frame: object) -> None:
        del frame
        received.append(number)
        raise KeyboardInterrupt if number == signal.SIGINT else Terminated

    # A service manager ends programs with SIGTERM, a terminal that closes with SIGHUP: they clean
    # up as on Ctrl-C. Windows knows no SIGHUP.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), interrupt)
    try:
        work(App(_ROOT, console))
    except SlipwayError as error:
        if received:
            # The terminal's Ctrl-C reaches client tools too, and one of them complained first.
            console.warn("interrupted")
            raise Exit(code=INTERRUPTED) from None
        console.error(error)
        raise Exit(code=error.exit_code) from None
    except KeyboardInterrupt:
        console.warn("interrupted")
        raise Exit(code=INTERRUPTED) from None
    except Exit:
        raise
    except Exception as error:  # noqa: BLE001 - a bug leaves a log file, whatever it is
        log = _write_log()
        console.bug(f"unexpected {type(error).__name__}", str(log))
        raise Exit(code=1) from None


def _write_log() -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    descriptor, name = tempfile.mkstemp(prefix=f"slipway-{stamp}-", suffix=".log")
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(traceback.format_exc())
    return Path(name)
