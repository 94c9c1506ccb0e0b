"""A benchmark as a command: errors are one line, and nothing stays behind however it ends."""

from __future__ import annotations

import signal
from collections.abc import Callable

from infra.console import Console
from infra.errors import SlipwayError
from infra.process import Runner, SubprocessRunner


def run(work: Callable[[Console, Runner], object]) -> int:
    """Do the work and return the exit code."""
    console = Console()
    # Servers are removed after `kill` too, as they are after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        work(console, SubprocessRunner())
    except SlipwayError as error:
        console.error(error)
        return error.exit_code
    except KeyboardInterrupt:
        console.warn("interrupted")
        return 130
    return 0
