"""The one place where consoles are made."""

import os
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from analysis.output import printable

KEPT = "\n\t"


class LegibleConsole(Console):
    """Spells control characters of texts, which may come from a name in the data; its own colours stay."""

    def render_str(self, text: str, *arguments: Any, **options: Any) -> Text:
        return super().render_str(printable(text, KEPT), *arguments, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text, KEPT))


def plain_console(width: int = 100) -> Console:
    """A console as wide as the terminal; without one (a pipe, a log) as COLUMNS says, else of `width` columns.

    It takes every text as it is: square brackets are no markup, `:word:` is no picture, and numbers have no colours of
    their own; control characters are spelt. What is to stand out is given a style.
    """
    console = LegibleConsole(markup=False, emoji=False, highlight=False)
    if console.is_terminal or os.environ.get("COLUMNS", "").isdigit():
        return console
    return LegibleConsole(markup=False, emoji=False, highlight=False, width=width)
