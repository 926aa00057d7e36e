"""Who may attend to whom in CBAT's sequence [other side; anchors; reading side], as the blocks that exist (part of M03)."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from models.sequence.attend import attend
from models.sequence.masking import mask_bias


class Reach(NamedTuple):
    """A mask [B, N, N] in which no window of the reading side attends to that side, without the scores of that block.

    The first F = P_other + K queries (other side and anchors) have all N keys, the P queries of the reading side the
    first F. Added to scores before a softmax: `sources` [B, 1, F or 1, N], `readers` [B, 1, P or 1, F], 0 where
    allowed and far below every score elsewhere. Every query must have an allowed key (the anchors are allowed to all),
    or its row averages all keys.
    """

    sources: Tensor
    readers: Tensor

    @classmethod
    def of(cls, allowed: Tensor, readers: int, dtype: torch.dtype) -> "Reach":
        """From `allowed` [B, N or 1, N] in {0, 1}; the last `readers` queries and keys are the reading side's."""
        first = allowed.shape[2] - readers
        parts = allowed[:, :first], allowed[:, -readers:, :first]
        return cls(*(mask_bias(part, dtype)[:, None] for part in parts))

    def read(
        self, q: Tensor, k: Tensor, v: Tensor, score: Callable[[Tensor], Tensor] | None = None
    ) -> Tensor:
        """softmax_j(score(<q_i, k_j>)) v_j over the allowed j, scores as they are when `score` is None.

        Shapes: q [B, H, L, D], the last L <= N queries and at least those of the reading side; k, v [B, H, N, D]
        -> [B, H, L, D].
        """
        first, readers = self.readers.shape[-1], k.shape[2] - self.readers.shape[-1]
        queries = q.split([q.shape[2] - readers, readers], dim=2)
        keys, values = (k, k[:, :, :first]), (v, v[:, :, :first])
        parts = zip(queries, keys, values, self, strict=True)
        return torch.cat([attend(*part, score) for part in parts], dim=2)
