"""Processes that keep processors busy, so that a machine shared with others is measured and not waited for."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator

BUSY = "while True: sum(range(100000))"


@contextlib.contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """So many processes that do nothing but count, while what is inside runs."""
    started = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()
