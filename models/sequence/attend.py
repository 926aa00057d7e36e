"""Softmax attention over scores that stay in a processor's cache."""

from collections.abc import Callable

import torch
from torch import Tensor

SCORE_BYTES = 8 * 2**20
"""Most memory for the scores of the samples that are taken at once: larger ones are fetched from memory again for every
step of a softmax, and above some 30 MB the system clears new pages for each of them."""


def attend(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor, score: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """softmax_j(score(<q_i, k_j>) + bias_ij) v_j, scores as they are when `score` is None.

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
    scores = q @ k.transpose(-1, -2)
    if score is not None:
        scores = score(scores)
    scores += bias
    return torch.softmax(scores, dim=-1) @ v
