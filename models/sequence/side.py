"""Features of the windows of one side, and of pairs that have them."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from models.sequence.windows import Windows

KEPT_BYTES = 512 * 2**20
"""Most memory for the features of all windows of a side; more are made again for each batch of pairs."""


class Side(NamedTuple):
    """Features h [M, P, d] of windows on one side and their mask [M, P] in {0, 1}."""

    h: Tensor
    mask: Tensor

    def rows(self, row: Tensor) -> "Side":
        """The features of pairs [B], each of the window of that number."""
        return Side(self.h[row], self.mask[row])


def features_of_pairs(
    windows: Windows, made: Callable[[Tensor], Side], batch: int
) -> Callable[[Tensor], Side]:
    """Pairs [n] -> features of their windows, of which `made` makes those of numbers [m], at most `batch` at once: every
    window once, kept while all fit into KEPT_BYTES; else those of the pairs each time."""

    def anew(pairs: Tensor) -> Side:
        numbers, row = torch.unique(windows.row[pairs], return_inverse=True)
        return made(numbers).rows(row)

    first, *others = windows.numbers.split(batch)
    kept = [made(first)]
    if kept[0].h.nbytes * windows.distinct > KEPT_BYTES * max(1, len(first)):
        return anew
    kept += [made(numbers) for numbers in others]
    every = Side(*(torch.cat(each) for each in zip(*kept, strict=True)))
    return lambda pairs: every.rows(windows.row[pairs])
