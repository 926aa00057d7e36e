"""A table for a terminal of any width: where its columns have no room its rows are paragraphs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from analysis.language import Catalogue

GAP = 2


@dataclass(frozen=True)
class StackedTable:
    """Rows of cells under `headings`, the first of which says what a row is of.

    `folds`: heading of a column whose cells may go on below each other -> the least width that it is then given; `left`:
    headings of the others that are not numbers. Narrower than that no cell is cut: each row is its first cell, and the
    other cells after their headings on the lines below. `said`: headings of columns whose cells are words of the program,
    which another language has, too; the others are names, values and numbers.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[Text]]
    folds: Mapping[str, int]
    left: Sequence[str] = ()
    said: Sequence[str] = ()

    def in_words(self, words: Catalogue) -> "StackedTable":
        """The same in another language."""
        rows = [
            [
                Text(words(cell.plain), style=cell.style) if name in self.said else cell
                for name, cell in zip(self.headings, row, strict=True)
            ]
            for row in self.rows
        ]
        folds = {words(name): width for name, width in self.folds.items()}
        return StackedTable([*map(words, self.headings)], rows, folds, [*map(words, self.left)])

    def _least(self) -> dict[str, int]:
        """Heading -> width below which a cell of its column would be cut."""
        widths = (
            max(cell_len(str(cell)) for cell in cells)
            for cells in zip(self.headings, *self.rows, strict=True)
        )
        return {
            n: min(width, self.folds.get(n, width)) for n, width in zip(self.headings, widths, strict=True)
        }

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if options.max_width >= sum(self._least().values()) + GAP * (len(self.headings) - 1):
            yield self._table()
            return
        for first, *cells in self.rows:
            yield first.copy()
            named = zip(self.headings[1:], cells, strict=True)
            text = Text(", ").join(Text.assemble((f"{name} ", "dim"), cell) for name, cell in named if cell)
            yield Padding(text, (0, 0, 0, GAP))

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
        for name, width in self._least().items():
            if name in self.folds:
                table.add_column(name, overflow="fold", min_width=width)
            else:
                table.add_column(name, justify="left" if name in self.left else "right", no_wrap=True)
        for row in self.rows:
            table.add_row(*row)
        return table
