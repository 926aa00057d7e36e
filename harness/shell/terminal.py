"""The console that command lines print to, and the sentences on it."""

import os
import sys
import textwrap
from collections.abc import Iterable

from rich.console import Console

from analysis.console import plain_console
from analysis.output import printable

PLAIN_WIDTH = 120


def console() -> Console:
    """Console on standard output: the terminal's own width, COLUMNS where that is set, or 120 columns into a file or a
    pipe."""
    return plain_console(PLAIN_WIDTH)


def tell(console: Console, text: str, style: str | None = None, *, indent: int = 0) -> None:
    """Print sentences, a line each: between words on a terminal, and wherever COLUMNS says how wide one is; as they are in
    a file or a pipe, where lines are searched. What is to be pasted is printed as it is instead."""
    if console.is_terminal or os.environ.get("COLUMNS", "").isdigit():
        later = " " * (indent + 2)
        wrapped = (
            textwrap.fill(
                line,
                console.width,
                initial_indent=" " * indent,
                subsequent_indent=later,
                break_long_words=False,
                break_on_hyphens=False,
            )
            for line in text.splitlines()
        )
        text = "\n".join(wrapped)
    else:
        text = textwrap.indent(text, " " * indent)
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def warn(sentences: Iterable[str]) -> None:
    """What a person must not miss, a line each on standard error."""
    for sentence in sentences:
        print(f"warning: {printable(sentence)}", file=sys.stderr)
