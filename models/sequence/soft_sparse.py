"""Soft-sparse attention with column bias (part of M03)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.sequence.masking import masked_mean
from models.sequence.reach import Reach
from models.sequence.rope import MultiHeadAttention


class SoftSparseAttention(nn.Module):
    """A_ij = softmax_j(l_ij) sigmoid(s l_ij - theta), normalised over the allowed j; out_i = W_o sum_j A_ij v_j.

    l_ij = <q_i, k_j - k_mean> / sqrt(D) + c_j - c_mean is the level of key j against that of the mean valid key.
    The column bias c_j = <w_h, x_j> raises or lowers a key for every query alike. Keys below the mean are
    suppressed smoothly, so that rows are sparse without a hard cut; s = softplus > 0 and theta are learned per
    head. Shapes: x [B, N, d], valid [B, N] and allowed [B, N, N] in {0, 1} -> [B, N, d]; a query that may attend
    to nothing gets W_o's bias: finite. Source: rp02 to rp04 name the mechanism; the equation is the project's.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(width, heads)
        self.column_bias = nn.Linear(width, heads, bias=False)
        self.raw_sharpness = nn.Parameter(torch.empty(heads))
        self.threshold = nn.Parameter(torch.empty(heads))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.constant_(self.raw_sharpness, 1.0)
        nn.init.zeros_(self.threshold)

    def scores(self, x: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """(l + log sigmoid(s l - theta) [B, H, N, N], whose softmax is A, values [B, H, N, D])."""
        q, keys, v = self._project(x, x, valid)
        return self._sparse(q @ keys.transpose(-1, -2)), v

    def forward(self, x: Tensor, valid: Tensor, allowed: Tensor) -> Tensor:
        scores, values = self.scores(x, valid)
        return self.attention.collect(scores, allowed, values)

    def within(self, query: Tensor, x: Tensor, valid: Tensor, reach: Reach) -> Tensor:
        """Rows of `query` [B, L, d], the last L of x [B, N, d], without the scores that `reach` leaves out."""
        read = reach.read(*self._project(query, x, valid), self._sparse)
        out: Tensor = self.attention.out(read.transpose(1, 2).flatten(-2))
        return out

    def _project(self, query: Tensor, x: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries and keys whose products are l: [q / sqrt(D), 1] and [k, c] less its mean; and the values.

        The 1 and c are one more row of each head's projection: [B, H, L, D+1], [B, H, N, D+1], [B, H, N, D].
        """
        attention, heads = self.attention, (self.attention.heads, -1)
        width = attention.query.out_features
        (k_weight, v_weight), (k_bias, v_bias) = (
            part.split(width) for part in (attention.key_value.weight, attention.key_value.bias)
        )

        def rows(weight: Tensor, bias: Tensor, extra: Tensor, constant: float) -> tuple[Tensor, Tensor]:
            per_head = weight.unflatten(0, heads), bias.unflatten(0, heads)
            whole = (
                torch.cat([per_head[0], extra[:, None]], dim=1),
                F.pad(per_head[1], (0, 1), value=constant),
            )
            return whole[0].flatten(0, 1), whole[1].flatten()

        root = math.sqrt(width // attention.heads)
        column = self.column_bias.weight
        q = F.linear(
            query,
            *rows(attention.query.weight / root, attention.query.bias / root, torch.zeros_like(column), 1.0),
        )
        keys = F.linear(x, *rows(k_weight, k_bias, column, 0.0))
        keys = keys - masked_mean(keys, valid)[:, None]
        parts = (q, keys, F.linear(x, v_weight, v_bias))
        q, keys, v = (part.unflatten(-1, heads).transpose(1, 2).contiguous() for part in parts)
        return q, keys, v

    def _sparse(self, level: Tensor) -> Tensor:
        sharpness = F.softplus(self.raw_sharpness)[:, None, None]
        return level + F.logsigmoid(sharpness * level - self.threshold[:, None, None])
