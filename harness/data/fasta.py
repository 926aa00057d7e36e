"""A FASTA file read by place, through an index: a few bases of a whole genome cost no more than those bases.

An own reader of a hundred lines: the libraries for it either write an index beside the file, which may lie where nobody
may write, or need a compiled library.
"""

import mmap
from pathlib import Path
from typing import NamedTuple

import numpy as np

from analysis.errors import UserError
from harness.data.table import check_file

UNCERTAIN = bytes.maketrans(b"RYSWKMBDHVryswkmbdhv", b"N" * 20)
"""IUPAC codes of bases that are not certain, of which hg19 has a few, read as N."""
AT_ONCE = 1 << 24
NEWLINE, RETURN = 10, 13


class Contig(NamedTuple):
    """A sequence of the file: `length` in bases, `offset` of its first base in bytes, `bases` and bytes (`width`) of a
    line."""

    length: int
    offset: int
    bases: int
    width: int


class Fasta:
    """Sequences of `file` by contig and interval; `contigs` in the order of the file.

    The index is FILE.fai where there is one (`samtools faidx`), else made by one pass over the file and written nowhere.

    Raises
    ------
    UserError
        for a file that is missing, empty, compressed or no FASTA, a contig whose lines are of several lengths, two of one
        name, and an index that is not of this file.
    """

    def __init__(self, file: Path) -> None:
        check_file(file)
        self.file = file
        try:
            with file.open("rb") as stream:
                start = stream.read(2)
                if start == b"\x1f\x8b":
                    raise UserError(
                        f"{file} is compressed; expected plain text, which can be read by place (gunzip -k)"
                    )
                if start[:1] != b">":
                    raise UserError(
                        f"{file} does not begin with '>'; expected a FASTA file (>name, then lines of bases)"
                    )
                self._bytes = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise UserError(f"{file} cannot be read: {error.strerror}") from None
        index = file.with_name(file.name + ".fai")
        self.contigs = self._stored(index) if index.is_file() else self._made()

    def fetch(self, name: str, start: int, end: int) -> str:
        """Bases [start, end) of a contig, 0-based, as they are written but for uncertain ones (N); `end` is at most its
        length."""
        contig = self.contigs[name]
        first, last = (
            contig.offset + at // contig.bases * contig.width + at % contig.bases for at in (start, end)
        )
        return self._bytes[first:last].translate(UNCERTAIN, b"\r\n").decode("latin-1")

    def _stored(self, index: Path) -> dict[str, Contig]:
        contigs: dict[str, Contig] = {}
        try:
            for line in index.read_text(encoding="utf-8").splitlines():
                name, *numbers = line.split("\t")
                contig = contigs[name] = Contig(*(int(number) for number in numbers[:4]))
                begin = self._bytes.rfind(b"\n", 0, max(contig.offset - 1, 0)) + 1
                header = self._bytes[begin : contig.offset].split()
                lines, rest = divmod(contig.length - 1, contig.bases)
                stop = contig.offset + lines * contig.width + rest + 1
                after = self._bytes[stop : stop + 3]
                ends = not after or (after[0] in (NEWLINE, RETURN) and after.strip()[:1] in (b"", b">"))
                if header[:1] != [b">" + name.encode()] or stop > len(self._bytes) or not ends:
                    raise ValueError(f"contig {name} is not where it says")
            if not contigs:
                raise ValueError("it is empty")
        except (OSError, ValueError, TypeError, ZeroDivisionError) as error:
            raise UserError(
                f"{index} is no index of {self.file.name} ({error}); delete it, and the file is read without one"
            ) from None
        return contigs

    def _made(self) -> dict[str, Contig]:
        contigs: dict[str, Contig] = {}
        header, size = 0, len(self._bytes)
        while header < size:
            line = self._bytes.find(b"\n", header)
            begin = size if line < 0 else line + 1
            after = self._bytes.find(b"\n>", begin - 1)
            end = size if after < 0 else after + 1
            words = self._bytes[header + 1 : begin].split()
            name = words[0].decode("utf-8", errors="replace") if words else ""
            if not name or name in contigs:
                raise UserError(
                    f"{self.file}, byte {header}: contig '{name}' has no name of its own; expected >name, each once"
                )
            contigs[name] = self._contig(name, begin, end)
            header = end
        return contigs

    def _contig(self, name: str, begin: int, end: int) -> Contig:
        """The contig whose lines are the bytes [begin, end)."""
        while end > begin and self._bytes[end - 1] in (NEWLINE, RETURN):
            end -= 1
        line = self._bytes.find(b"\n", begin, end)
        if line < 0:
            return Contig(end - begin, begin, max(end - begin, 1), max(end - begin, 1) + 1)
        width = line + 1 - begin
        bases = width - (2 if self._bytes[line - 1] == RETURN else 1)
        lines, rest = divmod(end - begin, width)
        whole = np.frombuffer(self._bytes, dtype=np.uint8, count=end - begin, offset=begin)
        newlines = sum(
            int(np.count_nonzero(whole[at : at + AT_ONCE] == NEWLINE)) for at in range(0, len(whole), AT_ONCE)
        )
        if bases < 1 or rest > bases or newlines != lines or not (whole[width - 1 :: width] == NEWLINE).all():
            raise UserError(
                f"{self.file}: the lines of contig {name} are not all of one length, so that no place in it can be found; "
                "expected lines of equal length (seqkit seq -w 60)"
            )
        return Contig(lines * bases + rest, begin, bases, width)
