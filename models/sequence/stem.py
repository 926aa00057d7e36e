"""M01, the k-mer stem: embedding -> convolution -> ReLU -> windowed maximum -> norm -> dropout."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.declared import GIVEN, declare
from models.registry import EVERYWHERE
from models.sequence.stem_fold import FoldedMax, fold_table, folded_max
from models.sequence.tokens import KMER, null_token
from models.streams import Dropout, Noise


class KmerStem(nn.Module):
    """h = Dropout(LayerNorm(MaxPool(ReLU(Conv1d(Embedding(tokens)))))), evaluated exactly by table folding.

    Tokens are null-padded on the right by kernel - 1, so that every token starts one convolution position
    whatever the padding; the null embedding is zero and not learned. Positions that see nulls only take no
    part in a pooling window; the last, partial window is kept. So more padding adds masked windows and
    changes nothing else.

    Shapes: tokens int64 [B, n] -> features [B, P, d], mask [B, P] in {0, 1}, P = ceil(n / pool); mask is 1
    where the window holds a position that sees a real token; features of masked windows are finite.
    n = 1 and all-null rows are well defined; n = 0 raises ValueError. NaN parameters give NaN.
    Source: definitions, Sizes (e = 768, kernel 43, pool 24, d = 64, dropout 0.35).
    """

    def __init__(
        self, embedding: int, kernel: int, width: int, pool: int, dropout: float, k: int = KMER
    ) -> None:
        super().__init__()
        sizes = {"embedding": embedding, "kernel": kernel, "width": width, "pool": pool, "k": k}
        small = [f"{name} = {size}" for name, size in sizes.items() if size < 1]
        if small:
            raise ValueError(f"the stem's sizes must be at least 1, got {', '.join(small)}")
        self.kernel, self.pool, self.null = kernel, pool, null_token(k)
        self.embedding = nn.Parameter(torch.empty(self.null, embedding))
        self.weight = nn.Parameter(torch.empty(width, embedding, kernel))
        self.bias = nn.Parameter(torch.empty(width))
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Embedding ~ N(0, 1) as nn.Embedding; convolution ~ U(-b, b), b = 1/sqrt(e kernel), as nn.Conv1d."""
        bound = 1.0 / math.sqrt(self.weight.shape[1] * self.kernel)
        nn.init.normal_(self.embedding)
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def table(self) -> Tensor:
        """The folded table [4^k + 1, kernel, d] of the present parameters; several `peaks` may share it."""
        return fold_table(self.embedding, self.weight)

    def peaks(self, tokens: Tensor, table: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(ReLU and maximum per window [B, P, d], mask [B, P]) by the fast route; before norm and dropout."""
        padded, valid, mask = self._frame(tokens)
        peak = folded_max(padded, valid, self.table() if table is None else table, self.pool)
        return F.relu(peak + self.bias), mask.to(peak.dtype)

    def plain_peaks(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """The same as `peaks` by Embedding -> Conv1d -> ReLU -> MaxPool1d: the reference, far slower."""
        padded, valid, mask = self._frame(tokens)
        peak = F.max_pool1d(self._plain_activity(padded, valid), self.pool, ceil_mode=True)
        return peak.transpose(1, 2), mask.to(peak.dtype)

    def disagreement(self, tokens: Tensor) -> Tensor:
        """bool [B, P, d]: active windows in which the two routes let different positions win.

        In float32 a near-tie can fall either way, and its gradient then goes to another position in one route
        than in the other; comparisons of gradients leave these windows out and report their share.
        """
        padded, valid, _ = self._frame(tokens)
        peak, winner = FoldedMax.apply(padded, valid, self.table(), self.pool)
        activity = self._plain_activity(padded, valid)
        _, plain_winner = F.max_pool1d(activity, self.pool, ceil_mode=True, return_indices=True)
        return (winner != plain_winner.transpose(1, 2)) & (peak + self.bias > 0)

    def finish(self, peaks: Tensor, noise: Noise | None) -> Tensor:
        """Norm and dropout of (strand-averaged) peaks."""
        out: Tensor = self.dropout(self.norm(peaks), noise)
        return out

    def forward(
        self, tokens: Tensor, noise: Noise | None = None, table: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        peaks, mask = self.peaks(tokens, table)
        return self.finish(peaks, noise), mask

    def plain(self, tokens: Tensor, noise: Noise | None = None) -> tuple[Tensor, Tensor]:
        """`forward` by the plain route, with the same parameters."""
        peaks, mask = self.plain_peaks(tokens)
        return self.finish(peaks, noise), mask

    def _plain_activity(self, padded: Tensor, valid: Tensor) -> Tensor:
        """ReLU(Conv1d(Embedding(tokens))) [B, d, n], zero where a position sees nulls only."""
        embedded = F.embedding(padded, F.pad(self.embedding, (0, 0, 0, 1)))
        active = F.relu(F.conv1d(embedded.transpose(1, 2), self.weight, self.bias))
        return active * valid[:, None].to(active.dtype)

    def _frame(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Null-padded tokens [B, n+kernel-1], positions that see a real token [B, n], windows with one [B, P]."""
        if tokens.shape[1] < 1:
            raise ValueError("the stem needs at least one token per sequence")
        positions = tokens.shape[1]
        padded = F.pad(tokens, (0, self.kernel - 1), value=self.null)
        seen = F.pad((padded != self.null).cumsum(1), (1, 0))
        valid = seen[:, self.kernel :] > seen[:, :positions]
        windows = F.pad(valid, (0, -positions % self.pool)).unflatten(1, (-1, self.pool))
        return padded, valid, windows.any(dim=2)


declare(
    "M01", "stem", kind="stem", name="k-mer stem", when={"model.kernel": GIVEN},
    equation="h = Dropout(LayerNorm(MaxPool(ReLU(Conv1d(Embedding(k-mers))))))",
    shapes="bases [B, L] -> h [B, P, d], mask [B, P]", source="definitions, Sizes", group="S", cls=KmerStem,
    acts=EVERYWHERE, reads=frozenset({"enhancer", "promoter"}),
    kept="every other part of the sequence side reads what it makes of the sequences",
)  # fmt: skip
