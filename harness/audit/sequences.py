"""The sequences that the sequence side reads, against those of the data's own windows, by a few bases of every pair."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor

from harness.data.dataset import EncodedDataset

BASES = 16
"""Columns of a window that are looked at, from its first base to its last."""
Glimpse = tuple[Tensor, ...]
"""Per side, uint8 [B, BASES + 1]: the bases of a batch in those columns, and the window's width modulo 256."""


def glimpse(sides: Sequence[Tensor]) -> Glimpse:
    """Of base codes uint8 [B, L] per side, as they enter the sequence side."""
    seen = []
    for side in sides:
        at = torch.from_numpy(_columns(side.shape[1])).to(side.device, non_blocking=True)
        width = torch.full((len(side), 1), side.shape[1] % 256, dtype=side.dtype, device=side.device)
        seen.append(torch.cat([side[:, at], width], 1))
    return tuple(seen)


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
