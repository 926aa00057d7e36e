"""The console that command lines print to."""

from rich.console import Console

from analysis.console import plain_console

PLAIN_WIDTH = 120


def console() -> Console:
    """Console on standard output: the terminal's own width, or 120 columns into a file or a pipe."""
    return plain_console(PLAIN_WIDTH)
