"""What is to be printed, in another language: texts, tables and what holds them."""

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Protocol, runtime_checkable

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text, TextType

from analysis.language.catalogue import Catalogue
from analysis.language.wrapping import Wrapped
from analysis.sized import ByWidth, Name


class AsIs(Text):
    """A text that stays as it is in every language: a name, a value, or what a person wrote."""


@runtime_checkable
class Worded(Protocol):
    """What makes itself again in another language."""

    def in_words(self, words: Catalogue) -> RenderableType:
        """The same with every sentence looked up."""
        ...


def translated(parts: Iterable[RenderableType], catalogue: Catalogue | None) -> Iterator[RenderableType]:
    """Each part in the language of the catalogue, with its styles; as it is where there is no catalogue."""
    for part in parts:
        yield part if catalogue is None else _said(part, catalogue)


def _said(part: RenderableType, catalogue: Catalogue) -> RenderableType:
    if isinstance(part, AsIs):
        return part
    if isinstance(part, Worded):
        return part.in_words(catalogue)
    if isinstance(part, str):
        return Wrapped(catalogue(part))
    if isinstance(part, Text):
        return _text(part, catalogue)
    if isinstance(part, Padding):
        sides = (part.top, part.right, part.bottom, part.left)
        return Padding(_said(part.renderable, catalogue), sides, style=part.style, expand=part.expand)
    if isinstance(part, Table):
        return _table(part, catalogue)
    if isinstance(part, Group):
        return Group(*(_said(each, catalogue) for each in part.renderables))
    if isinstance(part, Name):
        return Name(catalogue(part.label), part.identity, list(map(catalogue, part.notes)))
    if isinstance(part, ByWidth):
        return ByWidth(lambda width: translated(part.made(width), catalogue))
    return part


def _text(text: Text, catalogue: Catalogue) -> Text:
    """A text whose differently styled pieces are looked up one by one, unless the catalogue knows the whole."""
    edges = sorted({edge for span in text.spans for edge in (span.start, span.end)} - {0, len(text)})
    pieces = [text] if not edges or catalogue.knows(text.plain.strip()) else list(text.divide(edges))
    result = Wrapped(style=text.style, justify=text.justify, overflow=text.overflow, no_wrap=text.no_wrap)
    for piece in pieces:
        whole = [span.style for span in piece.spans if (span.start, span.end) == (0, len(piece))]
        result.append_text(Text(catalogue(piece.plain), style=whole[-1] if whole else ""))
    return result


def _heading(text: TextType | None, catalogue: Catalogue) -> TextType | None:
    return _text(text, catalogue) if isinstance(text, Text) else catalogue(text) if text else None


def _table(table: Table, catalogue: Catalogue) -> Table:
    columns = [
        Column(
            header=_said(column.header, catalogue),
            header_style=column.header_style,
            style=column.style,
            justify=column.justify,
            vertical=column.vertical,
            overflow=column.overflow if column.no_wrap else "fold",
            width=column.width,
            min_width=column.min_width,
            max_width=column.max_width,
            ratio=column.ratio,
            no_wrap=column.no_wrap,
        )
        for column in table.columns
    ]
    other = Table(
        *columns,
        box=table.box,
        padding=table.padding,
        pad_edge=table.pad_edge,
        show_header=table.show_header,
        show_edge=table.show_edge,
        collapse_padding=table.collapse_padding,
        expand=table.expand,
        style=table.style,
        header_style=table.header_style,
        title=_heading(table.title, catalogue),
        title_justify=table.title_justify,
        caption=_heading(table.caption, catalogue),
        caption_justify=table.caption_justify,
    )
    cells = zip_longest(*(column.cells for column in table.columns), fillvalue="")
    for row, of_row in zip(table.rows, cells, strict=True):
        other.add_row(
            *(_said(cell, catalogue) for cell in of_row), style=row.style, end_section=row.end_section
        )
    return other
