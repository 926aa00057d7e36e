"""The one place where consoles are made, and what they print where a terminal cannot show it."""

import codecs
import sys
import unicodedata

from rich.console import Console

PLAIN = {
    "≡": "==", "✗": "x", "†": "*", "±": "+/-", "–": "-", "—": "-", "×": "x", "→": "->", "≤": "<=", "≥": ">=",
    "…": "...", "·": ".", "−": "-", "∞": "inf", "━": "-", "─": "-", "≈": "~", "✓": "v",
}  # fmt: skip
"""Marks of this project, and others that come often, in ASCII."""
HANDLER = "legible"


def plain_console(width: int = 100) -> Console:
    """A console as wide as the terminal, and of `width` columns where there is none (a pipe, a log).

    It takes every text as it is: square brackets are no markup, `:word:` is no picture, and numbers have no colours of
    their own. What is to stand out is given a style.
    """
    console = Console(markup=False, emoji=False, highlight=False)
    if console.is_terminal:
        return console
    return Console(markup=False, emoji=False, highlight=False, width=width)


def never_fail_to_print() -> None:
    """What an output's encoding lacks is spelt in ASCII from now on, instead of ending the program."""
    codecs.register_error(HANDLER, _spelt)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=HANDLER)


def _spelt(error: UnicodeError) -> tuple[str | bytes, int]:
    """Codec error handler: the nearest ASCII, or the code point where there is none."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    return "".join(map(_ascii, characters)), error.end


def _ascii(character: str) -> str:
    if character in PLAIN:
        return PLAIN[character]
    bare = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return bare or character.encode("ascii", "backslashreplace").decode()
