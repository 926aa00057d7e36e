"""Reductions over the valid entries only, finite where nothing is valid."""

import torch
from torch import Tensor


def masked_softmax(scores: Tensor, allowed: Tensor) -> Tensor:
    """Softmax over the last axis among the entries with allowed = 1; all zeros where a row allows nothing.

    Shapes: scores [..., L], allowed broadcastable to it, bool or 0/1. Range [0, 1]. NaN scores give NaN.
    """
    allowed = allowed.to(torch.bool)
    low = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min / 2)
    return torch.softmax(low, dim=-1) * allowed.to(scores.dtype)


def masked_mean(features: Tensor, mask: Tensor) -> Tensor:
    """sum_p mask[p] features[p] / max(1, sum_p mask[p]): [B, P, d], [B, P] -> [B, d]; zero for an empty mask."""
    weight = mask[..., None]
    return (features * weight).sum(dim=1) / weight.sum(dim=1).clamp_min(1.0)


def masked_max(features: Tensor, mask: Tensor) -> Tensor:
    """max over p with mask[p] = 1 of features[p]: [B, P, d], [B, P] -> [B, d]; zero for an empty mask."""
    low = features.masked_fill(mask[..., None] == 0, torch.finfo(features.dtype).min / 2)
    return low.amax(dim=1) * mask.amax(dim=1)[:, None]
