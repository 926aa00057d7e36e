"""Bases as numbers, and windows of equal length cut from sequences of any length."""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

ALPHABET = "ACGTN"
PAD = 4
FOREIGN = 255

_CODES = np.full(256, FOREIGN, dtype=np.uint8)
for _code, _base in enumerate(ALPHABET):
    _CODES[ord(_base)] = _CODES[ord(_base.lower())] = _code
_CODES.flags.writeable = False
_COMPLEMENT = str.maketrans("ACGT", "TGCA")
_LETTERS = np.frombuffer(ALPHABET.encode(), dtype=np.uint8)


def encode_bases(sequences: Sequence[str]) -> np.ndarray:
    """Codes uint8 [sum of lengths] of the sequences one after the other: A C G T N = 0..4, either case, and 255
    (`FOREIGN`) for any other character; one character is always one code. No sequences give an empty array.
    """
    text = "".join(sequences).encode("ascii", errors="replace")
    return _CODES[np.frombuffer(text, dtype=np.uint8)]


def strand_free_hash(sequence: str) -> bytes:
    """SHA-256 of an upper-case sequence or of its reverse complement, whichever comes first: one per DNA.

    Unknown bases at the ends (padding) do not count, unless there is nothing else.
    """
    known = sequence.strip("N") or sequence
    return hashlib.sha256(min(known, known.translate(_COMPLEMENT)[::-1]).encode()).digest()


def decode_bases(codes: np.ndarray) -> str:
    """The upper-case sequence of codes 0..4 (inverse of `encode_bases`)."""
    return _LETTERS[codes].tobytes().decode()


def cut_windows(
    flat: np.ndarray, offsets: np.ndarray, width: int, *, chunk: int = 512
) -> Iterator[np.ndarray]:
    """Every sequence centre-cropped or right-padded to L = `width`: uint8 [<= chunk, L], one part after the other.

    flat uint8 [sum of lengths]; offsets int64 [M + 1]. A sequence of n > L bases keeps the bases from
    (n - L) // 2 on; a shorter one starts at column 0 and is padded with N (4) on the right.
    """
    rows = len(offsets) - 1
    column = np.arange(width, dtype=np.int64)
    for first in range(0, rows, chunk):
        last = min(first + chunk, rows)
        start, end = offsets[first:last], offsets[first + 1 : last + 1]
        length = end - start
        at = (start + np.maximum((length - width) // 2, 0))[:, None] + column
        inside = column < np.minimum(length, width)[:, None]
        yield np.where(inside, flat[np.minimum(at, len(flat) - 1)], PAD).astype(np.uint8)
