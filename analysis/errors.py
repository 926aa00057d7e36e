"""The one exception that a user can cause, and how a command line ends because of it."""

import difflib
import select
import sys
from collections.abc import Callable, Iterable
from typing import TextIO

from analysis.console import never_fail_to_print


class UserError(Exception):
    """A mistake in something the user gave: one sentence saying what, where and what was expected.

    Command lines print it without a traceback and exit with status 2.
    """


def nearest(word: str, valid: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the closest valid name, or an empty string when none is close."""
    close = difflib.get_close_matches(word, list(valid), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""


def shorten(text: str, most: int = 60) -> str:
    """A text for a sentence: its beginning alone where it is long."""
    return text if len(text) <= most else text[: most - 3] + "..."


def run_cli(main: Callable[[], int | None]) -> None:
    """Run a command line and exit: its return value is the status, a UserError one sentence and status 2.

    Ctrl-C exits with 130. A reader of stdout that went away (`python -m analysis RUN | head`) is no error; any
    other broken pipe is raised as it came.
    """
    never_fail_to_print()
    try:
        status = main()
        sys.stdout.flush()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = 130
    except BrokenPipeError:
        if not _reader_left(sys.stdout):
            raise
        # stdout must not be flushed again when the interpreter exits.
        sys.stdout = None
        status = 0
    sys.exit(status or 0)


def _reader_left(stream: TextIO) -> bool:
    """Whether the other end of the pipe that `stream` writes to is closed."""
    poll = select.poll()
    poll.register(stream, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))
