"""What the data report says, in another language than English."""

from collections.abc import Callable
from pathlib import Path

from analysis.language import catalogue

Words = Callable[[str], str]
"""A sentence of the report -> the same in a language."""
SAID = ("what", "value", "shortcut", "held out by", "seen", "sees")
"""Columns whose cells are words of the report; those of the others are names."""


def spoken(language: str) -> Words:
    """The words of a language; UserError for one that there is not."""
    return catalogue(language, Path(__file__).parent) or str


def cell(column: str, text: str, words: Words) -> str:
    """A cell of a table in a language."""
    return words(text) if column in SAID else text
