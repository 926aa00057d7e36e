"""The console that command lines print to."""

import sys

from rich.console import Console

PLAIN_WIDTH = 120


def console() -> Console:
    """Rich console on standard output: the terminal's own width, or 120 columns into a file or a pipe."""
    return Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False)
