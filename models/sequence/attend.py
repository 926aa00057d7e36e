"""Softmax attention over scores that stay in a processor's cache."""

from collections.abc import Callable

import torch
from torch import Tensor

SCORE_BYTES = 8 * 2**20
"""Most memory for the scores of the samples that are taken at once: larger ones are fetched from memory again for every
step of a softmax, and above some 30 MB the system clears new pages for each of them."""

FEW_KEYS = 16
"""Keys below which a softmax runs over the dimension before the last: of shorter rows it takes one number at a time."""


def attend(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor, score: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """softmax_j(score(<q_i, k_j>) + bias_ij) v_j, where `score` changes every number for itself, head by head (None: not).

    Shapes: q [B, H, L, D], k [B, H, M, D], v [B, H, M, E], bias [B or 1, 1 or H, L or 1, M] -> [B, H, L, E]. Every query
    needs a key whose bias is 0, or its row averages all keys.
    """
    samples, heads, queries, _ = q.shape
    size = max(1, SCORE_BYTES // max(1, heads * queries * k.shape[2] * q.element_size()))
    if samples <= size:
        return _attend(q, k, v, bias, score)
    biases = bias.split(size) if len(bias) > 1 else [bias] * -(-samples // size)
    parts = zip(q.split(size), k.split(size), v.split(size), biases, strict=True)
    return torch.cat([_attend(*part, score) for part in parts])


def _attend(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor, score: Callable[[Tensor], Tensor] | None
) -> Tensor:
    few = k.shape[2] < FEW_KEYS
    scores = k @ q.transpose(-1, -2) if few else q @ k.transpose(-1, -2)
    if score is not None:
        scores = score(scores)
    scores += bias.transpose(-1, -2) if few else bias
    weights = torch.softmax(scores, dim=-2).transpose(-1, -2) if few else torch.softmax(scores, dim=-1)
    return weights @ v
