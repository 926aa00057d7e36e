"""The sequences that the sequence side reads, against those of the data's own windows, by a few bases of every pair."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor

from harness.data.dataset import EncodedDataset
from models.sequence.windows import Windows

BASES = 16
"""Columns of a window that are looked at, from its first base to its last."""
Glimpse = tuple[Tensor, ...]
"""Per side, uint8 [B, BASES + 1]: the bases of a batch in those columns, and the window's width modulo 256."""


class ReadWindows:
    """Windows of one side that note what is read of them; `whole`: all of it is kept, no copy."""

    def __init__(self, windows: Windows, *, whole: bool) -> None:
        self.source, self.whole = windows, whole
        self.windows = windows._replace(read=self._read)
        """The same windows, for the sequence side to read."""
        self.parts: list[tuple[Tensor, Tensor, Tensor]] = []
        """Numbers, glimpses and, where the whole is kept, base codes of what was read."""

    def _read(self, numbers: Tensor) -> Tensor:
        bases = self.source.read(numbers)
        self.parts.append((numbers, _glimpse(bases), bases if self.whole else bases[:0]))
        return bases

    def glimpse(self) -> Tensor:
        """uint8 [B, BASES + 1] by pair; 255 of a window that nothing has read."""
        row = self.source.row
        seen = torch.full((self.source.distinct, BASES + 1), 255, dtype=torch.uint8, device=row.device)
        for numbers, glimpses, _ in self.parts:
            seen[numbers] = glimpses
        return seen[row]

    def bases(self, pair: int) -> Tensor:
        """Base codes [L] that were read for a pair; empty where nothing was, or it is not kept."""
        number = self.source.row[pair]
        for numbers, _, bases in self.parts:
            here = (numbers == number).nonzero()
            if len(here) and len(bases):
                return bases[here[0, 0]]
        return self.source.row.new_zeros(0, dtype=torch.uint8)


def _glimpse(bases: Tensor) -> Tensor:
    """Of base codes uint8 [M, L] as they enter the sequence side."""
    at = torch.from_numpy(_columns(bases.shape[1])).to(bases.device, non_blocking=True)
    width = torch.full((len(bases), 1), bases.shape[1] % 256, dtype=bases.dtype, device=bases.device)
    return torch.cat([bases[:, at], width], 1)


class Sequences:
    """The windows of a dataset by pair. Maps of files, of which only what is asked for is read."""

    def __init__(self, dataset: EncodedDataset) -> None:
        self.sides = tuple((windows, np.asarray(row)) for windows, row in dataset.inputs)
        self.looked = [
            (np.empty((len(w), BASES + 1), np.uint8), np.zeros(len(w), bool)) for w, _ in self.sides
        ]
        """Per side the glimpses of windows, and of which there is one yet."""

    def bases(self, pairs: np.ndarray) -> list[np.ndarray]:
        """What a `Glimpse` of pairs [B] has to be."""
        expected = []
        for (windows, row), (glimpses, known) in zip(self.sides, self.looked, strict=True):
            rows = row[pairs]
            new = rows[~known[rows]]
            if len(new):
                width = windows.shape[1]
                glimpses[new, :-1] = windows[new[:, None], _columns(width)]
                glimpses[new, -1], known[new] = width % 256, True
            expected.append(glimpses[rows])
        return expected

    def whole(self, pair: int) -> list[np.ndarray]:
        """Both windows of a pair, uint8 [L]."""
        return [windows[row[pair]] for windows, row in self.sides]


def is_read(expected: Sequence[np.ndarray], glimpses: Sequence[Glimpse]) -> bool:
    """Whether batches, one after the other, were of the expected sequences."""
    sides = zip(*glimpses, strict=True)
    read = [(torch.cat(parts) if len(parts) > 1 else parts[0]).cpu().numpy() for parts in sides]
    return len(read) == len(expected) and all(map(np.array_equal, read, expected))


@cache
def _columns(width: int) -> np.ndarray:
    return np.linspace(0, width - 1, BASES).round().astype(np.int64)
