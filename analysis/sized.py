"""What is laid out for the width in which it is printed."""

from collections.abc import Callable, Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.text import Text

from analysis.labels import KNOWN_BY

ROOMY = 112
"""Columns from which on a table has all that it can have."""
LINES = 2
"""Lines that a name has."""
LONGEST_WORD = 24
"""Columns up to which a name's longest word is not cut, where there are so many."""


class ByWidth:
    """Renderables that are made for a number of columns."""

    def __init__(self, made: Callable[[int], Iterable[RenderableType]]) -> None:
        self.made = made

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.made(options.max_width)


class Name:
    """What tells a configuration from the others, in at most two lines, and what is to be said of it below. Settings that
    have no room are left out from the end; the beginning of the identity then says which configuration it is."""

    def __init__(self, label: str, identity: str = "", notes: Sequence[str] = ()) -> None:
        self.label, self.identity, self.notes = label, identity, notes

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        whole = max(map(cell_len, (self.label, *self.notes)))
        word = max(map(cell_len, self.label.split()), default=0)
        return Measurement(min(word, LONGEST_WORD), whole).clamp(max_width=options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self.shortened(console, options.max_width))
        for note in self.notes:
            yield Text(note)

    def shortened(self, console: Console, width: int) -> str:
        """The name in `LINES` lines of `width` columns, which are broken between words."""
        parts = self.label.split(", ")
        tail = f"… {self.identity[:KNOWN_BY]}".strip()
        for kept in range(len(parts), 0, -1):
            text = ", ".join([*parts[:kept], *([tail] if kept < len(parts) else [])])
            if len(Text(text).wrap(console, width)) <= LINES:
                return text
        lines = Text(self.label).wrap(console, width)
        rest = Text(" ".join(line.plain.rstrip() for line in lines[LINES - 1 :]))
        rest.truncate(width, overflow="ellipsis")
        return "\n".join([*(line.plain.rstrip() for line in lines[: LINES - 1]), rest.plain])
