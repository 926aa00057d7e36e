"""Help of command lines as wide as the terminal: paragraphs filled, tables and examples kept and wrapped in place."""

import argparse
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

NARROWEST = 24
"""Columns that the right side of a table needs; with fewer it goes below its left side."""
_GAP = re.compile(r"(?P<left>\s*\S.*?)(?P<gap>\s{2,})(?P<right>\S.*)")


@dataclass
class _Entry:
    """A paragraph or line: `left` with its indentation, and `right` where there is a gap of spaces, which begins at
    `column`."""

    left: str
    right: str = ""
    column: int = 0

    @classmethod
    def of(cls, line: str) -> "_Entry":
        match = _GAP.fullmatch(line.rstrip())
        if match is None:
            return cls(line.rstrip())
        return cls(match["left"], match["right"], match.start("right"))

    @property
    def indent(self) -> int:
        return len(self.left) - len(self.left.lstrip())

    def takes(self, line: str) -> bool:
        """Take a line that goes on with this one: of the same paragraph, or below the right side."""
        text = line.strip()
        deep = len(line) - len(line.lstrip())
        if not text or not self.left or deep != self.column or (deep == 0 and _GAP.fullmatch(line)):
            return False
        if self.right:
            self.right += f" {text}"
        elif self.indent == 0:
            self.left += f" {text}"
        else:
            return False
        return True

    def lines(self, width: int) -> Iterator[str]:
        """The entry in lines of at most `width` columns, words that are longer apart; a command is broken so that it can
        still be pasted."""
        if not self.left:
            yield ""
        elif not self.right:
            yield from self._alone(width)
        elif self.column + NARROWEST <= width:
            head = self.left.ljust(self.column)
            yield from _filled(self.right, width, head, " " * self.column)
        else:
            yield from self._alone(width)
            below = " " * (self.indent + 6)
            yield from _filled(self.right, width, below, below)

    def _alone(self, width: int) -> Iterator[str]:
        first, later = " " * self.indent, " " * (self.indent + 4 if self.indent else 0)
        if not self.left.lstrip().startswith("python -m "):
            yield from _filled(self.left.strip(), width, first, later)
            return
        lines = _filled(self.left.strip(), width if len(self.left) <= width else width - 2, first, later)
        yield from (f"{line} \\" for line in lines[:-1])
        yield lines[-1]


def wrapped(text: str, width: int) -> str:
    """A text in lines of at most `width` columns: lines that stand at the margin are one paragraph."""
    entries: list[_Entry] = []
    for line in text.strip("\n").splitlines():
        if not entries or not entries[-1].takes(line):
            entries.append(_Entry.of(line))
    return "\n".join(line for entry in entries for line in entry.lines(width))


class WrappedHelp(argparse.HelpFormatter):
    """argparse's help with texts that keep their tables and examples."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return textwrap.indent(wrapped(text, width - len(indent)), indent)


def _filled(text: str, width: int, first: str, later: str) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )
