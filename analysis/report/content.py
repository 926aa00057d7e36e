"""What a section can hold; `templates/blocks.html` draws each kind by its `shape`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True)
class Paragraph:
    """One sentence or a few; `tone` is plain, quiet, or alert for what a reader must not miss."""

    shape: ClassVar[str] = "paragraph"
    text: str
    tone: str = "plain"


@dataclass(frozen=True)
class Facts:
    """Names and what is to be said of each."""

    shape: ClassVar[str] = "facts"
    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, a quiet second line, and a class of `style.css`."""

    text: str
    note: str = ""
    style: str = ""


@dataclass(frozen=True)
class RowTable:
    """A table, rows of as many cells as there are `headings`; the first `wide` columns are words, the others numbers. On a
    phone every row is a card. `below` puts the second line of the first cell under the whole row, where names are long;
    `legend` explains the signs."""

    shape: ClassVar[str] = "table"
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    wide: int = 1
    legend: str = ""
    below: bool = False


@dataclass(frozen=True)
class Heat:
    """Numbers in coloured cells. A row: the rank and name of a configuration, a value per column (None for none), and the
    shade of each, 0 to 1."""

    shape: ClassVar[str] = "heat"
    sentence: str
    columns: Sequence[str]
    rows: Sequence[tuple[tuple[str, str], Sequence[float | None], Sequence[float | None]]]


@dataclass(frozen=True)
class LegendMark:
    """An entry of a legend: colour, how it is drawn (line, dash, dot, square, ring, diamond, band, up, down), and
    its meaning."""

    colour: str
    drawn: str
    text: str


@dataclass(frozen=True)
class Chart:
    """A plotly figure: what it shows in one sentence, its JSON, its height in pixels, where several stand side by side a
    heading (rank and name of a configuration), and its legend."""

    shape: ClassVar[str] = "chart"
    sentence: str
    figure: str
    height: int
    heading: tuple[str, str] = ("", "")
    legend: Sequence[LegendMark] = ()


@dataclass(frozen=True)
class Charts:
    """Charts of one kind side by side, with one sentence and one legend."""

    shape: ClassVar[str] = "charts"
    sentence: str
    charts: Sequence[Chart]
    legend: Sequence[LegendMark] = ()


@dataclass(frozen=True)
class Commands:
    """Lines for a terminal."""

    shape: ClassVar[str] = "commands"
    lines: Sequence[str]


Block = Paragraph | Facts | RowTable | Heat | Chart | Charts | Commands


@dataclass(frozen=True)
class Content:
    """What a section says of a run."""

    key: str
    title: str
    blocks: Sequence[Block]
    extra: Mapping[str, Any] = field(default_factory=dict)
