"""Who may attend to whom in CBAT's sequence [other side; anchors; reading side], as the blocks that exist (part of M03)."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from models.sequence.attend import attend
from models.sequence.masking import mask_bias

WHOLE = 32
"""Windows up to which all scores are made at once, those that nobody may read too: products as small cost by their number
and not by their size."""


class Reach(NamedTuple):
    """A mask [B, N, N] in which no window of the reading side attends to that side, without the scores of that block.

    The first F = P_other + K queries (other side and anchors) have all N keys, the `readers` queries of the reading side
    the first F. `biases` are added to scores before a softmax, 0 where allowed and far below every score elsewhere:
    [B, 1, F or 1, N] and [B, 1, P or 1, F]; or one [B, 1, N, N] of all queries and keys where N is at most WHOLE. Every
    query must have an allowed key (the anchors are allowed to all), or its row averages all keys.
    """

    biases: tuple[Tensor, ...]
    readers: int

    @classmethod
    def of(cls, allowed: Tensor, readers: int, dtype: torch.dtype) -> "Reach":
        """From `allowed` [B, N or 1, N] in {0, 1}; the last `readers` queries and keys are the reading side's."""
        windows = allowed.shape[2]
        first = windows - readers
        if windows <= WHOLE:
            reads = torch.arange(windows, device=allowed.device) >= first
            parts: tuple[Tensor, ...] = ((allowed != 0) & ~(reads[:, None] & reads),)
        else:
            parts = allowed[:, :first], allowed[:, -readers:, :first]
        return cls(tuple(mask_bias(part, dtype)[:, None] for part in parts), readers)

    def read(
        self, q: Tensor, k: Tensor, v: Tensor, score: Callable[[Tensor], Tensor] | None = None
    ) -> Tensor:
        """softmax_j(score(<q_i, k_j>)) v_j over the allowed j, scores as they are when `score` is None.

        Shapes: q [B, H, L, D], the last L <= N queries and at least those of the reading side; k, v [B, H, N, D]
        -> [B, H, L, D].
        """
        if len(self.biases) == 1:
            return attend(q, k, v, self.biases[0][:, :, -q.shape[2] :], score)
        first = k.shape[2] - self.readers
        queries = q.split([q.shape[2] - self.readers, self.readers], dim=2)
        keys, values = (k, k[:, :, :first]), (v, v[:, :, :first])
        parts = zip(queries, keys, values, self.biases, strict=True)
        return torch.cat([attend(*part, score) for part in parts], dim=2)
