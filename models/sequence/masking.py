"""Reductions over the valid entries only, finite where nothing is valid."""

import torch
from torch import Tensor


def mask_bias(allowed: Tensor, dtype: torch.dtype) -> Tensor:
    """0 where allowed, a number far below every score elsewhere: added to scores before a softmax."""
    bias = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device)
    return bias.masked_fill(allowed == 0, torch.finfo(dtype).min / 4)


def masked_softmax(scores: Tensor, allowed: Tensor) -> Tensor:
    """Softmax over the last axis among the entries with allowed = 1; all zeros where a row allows nothing.

    Shapes: scores [..., L], allowed broadcastable to it, bool or 0/1. Range [0, 1]. NaN scores give NaN.
    """
    return torch.softmax(scores + mask_bias(allowed, scores.dtype), dim=-1) * (allowed != 0)


def masked_mean(features: Tensor, mask: Tensor) -> Tensor:
    """sum_p mask[p] features[p] / max(1, sum_p mask[p]): [B, P, d], [B, P] -> [B, d]; zero for an empty mask."""
    weight = mask[..., None]
    return (features * weight).sum(dim=1) / weight.sum(dim=1).clamp_min(1.0)


def masked_max(features: Tensor, mask: Tensor) -> Tensor:
    """max over p with mask[p] = 1 of features[p]: [B, P, d], [B, P] -> [B, d]; zero for an empty mask."""
    low = features.masked_fill(mask[..., None] == 0, torch.finfo(features.dtype).min / 2)
    return low.amax(dim=1) * mask.amax(dim=1)[:, None]
