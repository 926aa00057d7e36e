"""The one exception that a user can cause, and how a command line ends because of it."""

import difflib
import sys
from collections.abc import Callable, Iterable

from analysis.loading import loaded
from analysis.output import never_fail_to_print, printable, unwritten


class UserError(Exception):
    """A mistake in something the user gave: one sentence saying what, where and what was expected.

    Command lines print it without a traceback and exit with status 2, with `label` before it, which is in the language
    of the sentence.
    """

    label = "error: "


def nearest(word: str, valid: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the closest valid name, or an empty string when none is close."""
    close = difflib.get_close_matches(word, list(valid), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""


def shorten(text: str, most: int = 60) -> str:
    """A text for a sentence: its beginning alone where it is long."""
    return text if len(text) <= most else text[: most - 3] + "..."


def run_cli(main: Callable[[], int | None], *, stores: bool = False) -> None:
    """Run a command line and exit: its return value is the status, a UserError one sentence on one line,
    whatever names are in it, and status 2.

    Ctrl-C exits with 130. A reader of stdout that went away (`python -m analysis RUN | head`) and a stdout that is
    closed are no errors. What could not be written for another reason (a full disk) is one sentence, and status 2 where
    printing was the purpose; a command that `stores` its results goes on to its end in any case, and exits as its work
    does.
    """
    never_fail_to_print()
    status: int | str | None
    try:
        loaded()
        status = main()
    except UserError as error:
        print(f"{error.label}{printable(str(error))}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = 130
    except SystemExit as end:
        status = end.code
    failure = unwritten(sys.stdout)
    if failure is not None and not isinstance(failure, BrokenPipeError):
        kind = "note" if stores else "error"
        print(f"{kind}: what was printed could not all be written: {failure.strerror}", file=sys.stderr)
        status = status if stores else status or 2
    sys.exit(status or 0)
