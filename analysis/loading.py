"""Ctrl-C while a program still loads: an extension module that is interrupted in between raises what it likes."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def ended_by_ctrl_c() -> Iterator[None]:
    """Inside, SIGINT ends the process at once, with one word and status 130: nothing has been begun yet."""

    def end(number: int, frame: FrameType | None) -> None:
        print("interrupted", file=sys.stderr, flush=True)
        os._exit(130)

    before = signal.getsignal(signal.SIGINT)
    if before in (signal.SIG_IGN, None):  # as in the background of a shell, or another program's own
        yield
        return
    signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
