"""Lines of a text in a language that puts no spaces between words."""

import re
from itertools import accumulate, pairwise

from rich.cells import cell_len
from rich.console import Console, JustifyMethod, OverflowMethod
from rich.containers import Lines
from rich.text import Text

_WIDE = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uff60"
_CLOSING = "，。；：、）”！？"
_PIECE = re.compile(rf"(?:[（“]?[{_WIDE}]|[^\s{_WIDE}]+)[{_CLOSING}]*\s*|\s+")
"""What a line may be broken after: a character of Chinese or a word of Latin letters, with the stop or space behind."""


class Wrapped(Text):
    """A text whose lines end between any two characters of Chinese, but not before a stop, and between Latin words."""

    def wrap(
        self,
        console: Console,
        width: int,
        *,
        justify: JustifyMethod | None = None,
        overflow: OverflowMethod | None = None,
        tab_size: int = 8,
        no_wrap: bool | None = None,
    ) -> Lines:
        if no_wrap or self.no_wrap or overflow == "ignore":
            return super().wrap(
                console, width, justify=justify, overflow=overflow, tab_size=tab_size, no_wrap=no_wrap
            )
        lines = Lines()
        for line in self.split(allow_blank=True):
            lines.extend(line.divide(breaks(line.plain, width)))
        for line in lines:
            line.rstrip_end(width)
        if justify in ("right", "center"):
            lines.justify(console, width, justify=justify, overflow=overflow or "fold")
        return lines


def breaks(text: str, width: int) -> list[int]:
    """Where lines of at most `width` columns end; a piece that is longer than a line is cut."""
    pieces = [piece for match in _PIECE.findall(text) for piece in _cut(match, width)]
    ends, room = [], width
    for start, piece in zip(accumulate(map(len, pieces), initial=0), pieces, strict=False):
        if cell_len(piece.rstrip()) > room and room < width:
            ends.append(start)
            room = width
        room -= cell_len(piece)
    return ends


def _cut(piece: str, width: int) -> list[str]:
    if cell_len(piece.rstrip()) <= width:
        return [piece]
    ends = [*range(0, len(piece), max(width // 2, 1)), len(piece)]
    return [piece[start:end] for start, end in pairwise(ends)]
