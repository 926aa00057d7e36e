"""Shallow statistics of pairs: what is seen without a model (GC content, k-mer composition, length)."""

import itertools
from weakref import WeakKeyDictionary

import numpy as np

from harness.data.dataset import EncodedDataset

WORD = 3
"""Length k of the counted k-mers."""
CHUNK = 512
"""Sequences counted at a time."""
_KNOWN: "WeakKeyDictionary[EncodedDataset, ShallowStatistics]" = WeakKeyDictionary()


def strand_words() -> np.ndarray:
    """Which column each of the 4^k k-mers is counted in, int64 [4^k]: a k-mer and its reverse complement share one."""
    column: dict[tuple[int, ...], int] = {}
    which = []
    for word in itertools.product(range(4), repeat=WORD):
        reverse = tuple(3 - base for base in word[::-1])
        which.append(column.setdefault(min(word, reverse), len(column)))
    return np.asarray(which)


def sequence_statistics(windows: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """GC content, log10 of the uncropped length in bp, and the shares of the 32 strand-free 3-mers of each sequence.

    windows uint8 [M, L] (A C G T N = 0..4), lengths int64 [M] -> float32 [M, 34]. Unknown bases and padding do not
    count; a sequence without any known base or 3-mer gets 0 there, and length 0 counts as 1 bp. Source: source document 001
    (Student 2's shallow statistics).
    """
    which = strand_words()
    columns = int(which.max()) + 1
    out = np.zeros((len(windows), 2 + columns), dtype=np.float32)
    out[:, 1] = np.log10(np.maximum(lengths, 1))
    weight = 4 ** np.arange(WORD)[::-1]
    target = np.append(which, columns)
    for first in range(0, len(windows), CHUNK):
        part = windows[first : first + CHUNK]
        rows, width = part.shape
        known = part < 4
        gc = ((part == 1) | (part == 2)).sum(1)
        out[first : first + rows, 0] = gc / np.maximum(known.sum(1), 1)
        if width < WORD:
            continue
        spans = [slice(k, width - WORD + 1 + k) for k in range(WORD)]
        code = sum(int(w) * part[:, span].astype(np.int64) for w, span in zip(weight, spans, strict=True))
        whole = np.logical_and.reduce([known[:, span] for span in spans])
        place = target[np.where(whole, code, 4**WORD)] + (columns + 1) * np.arange(rows)[:, None]
        count = np.bincount(place.ravel(), minlength=rows * (columns + 1)).reshape(rows, columns + 1)[:, :-1]
        out[first : first + rows, 2:] = count / np.maximum(count.sum(1, keepdims=True), 1)
    return out


class ShallowStatistics:
    """float32 [.., f] of pair indices [..]: both elements' `sequence_statistics`.

    Computed on the windows that the model reads, per distinct sequence; f = 68.
    """

    def __init__(self, dataset: EncodedDataset) -> None:
        self._rows = (dataset.enhancer_row, dataset.promoter_row)
        self._sides = tuple(
            sequence_statistics(windows, dataset.sequence_lengths(side))
            for side, windows in (("enhancers", dataset.enhancers), ("promoters", dataset.promoters))
        )

    @classmethod
    def known(cls, dataset: EncodedDataset) -> "ShallowStatistics":
        """Those of the dataset, whose arrays never change: computed when they are first asked for."""
        if dataset.original not in _KNOWN:
            _KNOWN[dataset.original] = cls(dataset.original)
        return _KNOWN[dataset.original]

    @property
    def width(self) -> int:
        """f."""
        return sum(side.shape[1] for side in self._sides)

    def of(self, pairs: np.ndarray) -> np.ndarray:
        """Statistics float32 [.., f] of pairs of any shape [..]."""
        return np.concatenate(
            [side[row[pairs]] for side, row in zip(self._sides, self._rows, strict=True)], -1
        )
