"""Soft-sparse attention with column bias (part of M03)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.sequence.masking import masked_mean
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
        q, k, v = self.attention.project(x, x)
        column = self.column_bias(x).transpose(1, 2)[..., None]
        keys = torch.cat([k, column], dim=-1)
        mean = masked_mean(keys.transpose(1, 2).flatten(2), valid).view(x.shape[0], k.shape[1], 1, -1)
        level = F.pad(q, (0, 1), value=1.0) @ (keys - mean).transpose(-1, -2)
        sharpness = F.softplus(self.raw_sharpness)[:, None, None]
        return level + F.logsigmoid(sharpness * level - self.threshold[:, None, None]), v

    def forward(self, x: Tensor, valid: Tensor, allowed: Tensor) -> Tensor:
        scores, values = self.scores(x, valid)
        return self.attention.collect(scores, allowed, values)
