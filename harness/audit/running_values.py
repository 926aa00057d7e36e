"""Running means, marks and rings of explicit state as their definitions have them, one cell line or row after another."""

from collections.abc import Mapping

import torch
from torch import Tensor

from models.losses.term import State


def running(means: Tensor, seen: Tensor, cell: Tensor, values: Tensor, momentum: float) -> Tensor:
    """Of each line the running mean [C, ...] after episodes of lines cell [E] (-1: none) with values [E, ...]."""
    after = means.clone()
    for line in sorted(set(cell.tolist()) - {-1}):
        now = values.detach()[cell == line].to(means.dtype).mean(0)
        after[line] = momentum * means[line] + (1 - momentum) * now if bool(seen[line] > 0) else now
    return after


def met(seen: Tensor, cell: Tensor) -> Tensor:
    """`seen` [C] with 1 at the lines of cell [E]."""
    after = seen.clone()
    after[cell[cell >= 0]] = 1
    return after


def ring(old: State, rows: Mapping[str, Tensor]) -> State:
    """Columns of a ring [B, ...] with rows [n, ...] from its pointer on, the last B of them, and the pointer after them."""
    size, count = (len(next(iter(part.values()))) for part in ({n: old[n] for n in rows}, rows))
    kept = min(size, count)
    places = (int(old["pointer"]) + torch.arange(kept)) % size
    after = {"pointer": torch.tensor((int(old["pointer"]) + kept) % size)}
    for name, values in rows.items():
        column = old[name].clone()
        column[places] = values.detach()[count - kept :].to(column)
        after[name] = column
    return after
