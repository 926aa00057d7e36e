"""Soft-sparse attention with column bias (part of M03)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.sequence.masking import masked_softmax
from models.sequence.rope import MultiHeadAttention


class SoftSparseAttention(nn.Module):
    """A_ij = softmax_j(l_ij) sigmoid(s (l_ij - m_i) - theta), normalised over j; out_i = W_o sum_j A_ij v_j.

    l_ij = <q_i, k_j> / sqrt(D) + c_j, where the column bias c_j = <w_h, x_j> raises or lowers a key for every
    query alike; m_i is the mean of l_ij over the allowed j. Keys below a row's mean are suppressed smoothly, so
    that rows are sparse without a hard cut; s = softplus > 0 and theta are learned per head. Shapes: x [B, N, d],
    allowed [B, N, N] in {0, 1} -> [B, N, d]; a query that may attend to nothing gets W_o's bias: finite.
    Source: rp02 to rp04 name the mechanism; this is the equation that the project gives it.
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

    def weights(self, x: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
        """(A [B, H, N, N], values [B, H, N, D])."""
        scores, values = self.attention.scores(x, x, None)
        level = scores + self.column_bias(x).transpose(1, 2)[:, :, None]
        open_ = allowed[:, None].to(level.dtype)
        mean = (level * open_).sum(-1, keepdim=True) / open_.sum(-1, keepdim=True).clamp_min(1.0)
        sharpness = F.softplus(self.raw_sharpness)[:, None, None]
        keep = F.logsigmoid(sharpness * (level - mean) - self.threshold[:, None, None])
        return masked_softmax(level + keep, open_), values

    def forward(self, x: Tensor, allowed: Tensor) -> Tensor:
        return self.attention.collect(*self.weights(x, allowed))
