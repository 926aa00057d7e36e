"""The windows of many pairs on one side, where several pairs may have the same one."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor


class Windows(NamedTuple):
    """Windows of B pairs: pair b has number row[b] of `distinct` ones.

    row: int64 [B], each of 0 .. distinct - 1 at least once; read(numbers [m]) -> base codes [m, L] of these windows, an
    integer each (A C G T N = 0..4, padding 4 on the right), on the device of the model. Nothing is read before it is
    asked for, so that the windows of a whole split may be more than fit into memory.
    """

    row: Tensor
    distinct: int
    read: Callable[[Tensor], Tensor]

    @classmethod
    def of(cls, bases: "Tensor | Windows") -> "Windows":
        """Base codes [B, L], each of a window of its own; windows as they are."""
        if isinstance(bases, Windows):
            return bases
        row = torch.arange(bases.shape[0], device=bases.device)
        return cls(row, bases.shape[0], lambda numbers: bases[numbers])

    @property
    def numbers(self) -> Tensor:
        """0 .. distinct - 1."""
        return torch.arange(self.distinct, device=self.row.device)

    def of_pairs(self) -> Tensor:
        """Base codes [B, L] of the pairs."""
        return self.read(self.row)

    def in_groups(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """(numbers [m], pairs [n]): at most `size` windows at a time, and all pairs that have one of them."""
        order = torch.argsort(self.row, stable=True)
        ends = torch.bincount(self.row, minlength=self.distinct).cumsum(0).tolist()
        done = 0
        for numbers in self.numbers.split(size):
            end = ends[int(numbers[-1])] if len(numbers) else 0
            yield numbers, order[done:end]
            done = end
