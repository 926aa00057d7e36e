"""Exponential running means per training cell line, as a pure function of explicit state."""

import torch
from torch import Tensor


def running_means(
    means: Tensor, seen: Tensor, cell: Tensor, values: Tensor, momentum: float
) -> tuple[Tensor, Tensor]:
    """x_c <- momentum x_c + (1 - momentum) mean over this step's episodes of c; the first meeting sets x_c.

    means [C, ...], seen [C] 0/1, cell [E] long, values [E, ...] -> (new means, new seen), without gradient.
    An index of -1 (no training cell line) is passed over, NaN values of it included.
    """
    lines = torch.arange(seen.shape[0], device=cell.device)
    member = (cell.unsqueeze(0) == lines.unsqueeze(1)).to(means.dtype)
    count = member.sum(1)
    flat = values.detach().reshape(cell.shape[0], -1).to(means.dtype)
    known = torch.where((cell >= 0).unsqueeze(1), flat, 0.0)
    now = (member @ known) / count.clamp(min=1).unsqueeze(1)
    keep = torch.where(count > 0, torch.where(seen > 0, momentum, 0.0), 1.0).to(means.dtype)
    old = means.detach().reshape(seen.shape[0], -1)
    new = torch.lerp(now, old, keep.unsqueeze(1)).reshape(means.shape)
    return new, torch.maximum(seen.detach(), (count > 0).to(seen.dtype))
