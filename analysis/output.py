"""Standard output and error of a command line: a failed write ends no work, and all text is legible."""

import codecs
import contextlib
import io
import os
import re
import select
import sys
import unicodedata
from typing import Any, TextIO

PLAIN = {
    "≡": "==", "✗": "x", "†": "*", "±": "+/-", "–": "-", "—": "-", "×": "x", "→": "->", "≤": "<=", "≥": ">=",
    "…": "...", "·": ".", "−": "-", "∞": "inf", "━": "-", "─": "-", "≈": "~", "✓": "v",
}  # fmt: skip
"""Marks of this project, and others that come often, in ASCII."""
HANDLER = "legible"
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Characters that command a terminal, break a line or turn the direction of writing."""


def printable(text: str, keep: str = "") -> str:
    r"""`text` with control characters spelt (`\x1b`, `\n`) but for those in `keep`: a name may hold any of them."""
    return CONTROL.sub(
        lambda match: match[0] if match[0] in keep else match[0].encode("unicode_escape").decode(), text
    )


class Lasting(io.FileIO):
    """An open file descriptor that takes all that is written to it, also when nothing can be written any more.

    `failure` is the first error of writing (the reader has gone, the disk is full); what comes after it is lost.
    """

    failure: OSError | None = None

    def write(self, data: Any, /) -> int:
        rest = memoryview(data).cast("B")
        size = rest.nbytes
        while rest and self.failure is None:
            try:
                written = super().write(rest)
                if written is None:  # a pipe that does not block and is full at this moment
                    select.select([], [self.fileno()], [])
                else:
                    rest = rest[written:]
            except OSError as error:
                self.failure = error
        return size


def never_fail_to_print() -> None:
    """From now on printing ends no program: characters that the encoding lacks are spelt in ASCII, text that cannot be
    written is lost (`unwritten` tells), and a closed output takes everything."""
    codecs.register_error(HANDLER, _spelt)
    _occupy()
    for name, number in (("stdout", 1), ("stderr", 2)):
        setattr(sys, name, _lasting(getattr(sys, name), number))


def unwritten(stream: TextIO) -> OSError | None:
    """Why something that was printed to `stream` could not be written, None where all of it was."""
    stream.flush()
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    return raw.failure if isinstance(raw, Lasting) else None


def _occupy() -> None:
    """Standard descriptors that are closed lead to nowhere, before a file that is opened later gets their number."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _lasting(stream: TextIO | None, number: int) -> TextIO:
    """`stream` upon a `Lasting`; itself where it is none of the interpreter's own, as in a notebook."""
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    if stream is None:
        return open(number, "w", encoding="utf-8", errors=HANDLER, closefd=False)
    if not isinstance(stream, io.TextIOWrapper) or type(raw) is not io.FileIO:
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=HANDLER)
        return stream
    with contextlib.suppress(OSError):
        stream.flush()
    lasting = Lasting(raw.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        # Without a buffer of its own where Python was told so (-u).
        lasting if buffer is raw else io.BufferedWriter(lasting),
        encoding=stream.encoding,
        errors=HANDLER,
        newline="\n",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


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


def counted(number: int, noun: str) -> str:
    """`1 seed`, `3 seeds`, `0 seeds`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
