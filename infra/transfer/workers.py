"""Workers: threads that share some work, and end together."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

_POLL_SECONDS = 0.2


def together(work: Callable[[int], None], workers: int, stop: Callable[[], None]) -> None:
    """Call `work` with 0, 1, … at once; the first failure, or Ctrl-C, calls `stop`, and is raised.

    `stop` makes every call return soon.
    """
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        futures = [pool.submit(work, number) for number in range(workers)]
        try:
            # Without a time limit Ctrl-C would not get through on Windows.
            while not all(future.done() for future in futures):
                done, _ = wait(futures, timeout=_POLL_SECONDS, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
        except BaseException:
            stop()
            raise
    for future in futures:
        future.result()
