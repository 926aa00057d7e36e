"""The one exception that a reader of a run can cause, and how the command line ends because of it."""

import difflib
import sys
from collections.abc import Callable, Iterable


class UserError(Exception):
    """A mistake in something the user gave: one sentence saying what, where and what was expected.

    The command line prints it without a traceback and exits with status 2.
    """


def nearest(word: str, valid: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the closest valid name, or an empty string when none is close."""
    close = difflib.get_close_matches(word, list(valid), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""


def run_cli(main: Callable[[], int | None]) -> None:
    """Run a command line: its return value is the exit status, a UserError is one sentence and status 2."""
    try:
        status = main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = 130
    except BrokenPipeError:
        # `python -m analysis RUN | head` closes the pipe early; stdout must not be flushed again at exit.
        sys.stdout = None
        status = 0
    sys.exit(status or 0)
