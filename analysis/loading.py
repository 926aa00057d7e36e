"""Ctrl-C while a command still loads: an extension module that is interrupted in between raises what it likes."""

import os
import signal
import sys
from types import FrameType

ROOMS = ("analysis", "harness")
"""Packages whose modules are commands, `python -m harness.sweep`."""


def end_at_ctrl_c() -> None:
    """From here to `loaded` SIGINT ends the process at once, with one word and status 130: nothing has been begun yet.

    Called first of all in the packages of commands. It does nothing where they are imported by another program, and where
    Ctrl-C is turned off, as in the background of a shell.
    """
    if _command_loads() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def loaded() -> None:
    """Ctrl-C is a KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _command_loads() -> bool:
    """Whether the interpreter imports a package on its way to a command's module: only then the first argument is `-m`."""
    if sys.argv[:1] != ["-m"] or "-m" not in sys.orig_argv:
        return False
    module = sys.orig_argv[sys.orig_argv.index("-m") + 1]
    return module.partition(".")[0] in ROOMS


def _end(number: int, frame: FrameType | None) -> None:
    print("interrupted", file=sys.stderr, flush=True)
    os._exit(130)
