"""One unit of the port, made faster part by part, so that each part of the gain has a figure of its own."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from harness.bench.port import PortTrainer, PortUnit
from harness.trial.score.predict import SplitScores
from harness.trial.score.scoring import score_splits
from models.sequence.stem import KmerStem
from models.sequence.tokens import kmer_tokens


class GatheredTokens(PortTrainer):
    """k-mers made for the whole batch from bases that were encoded once."""

    def tokens(self, side: str, pairs: np.ndarray) -> Tensor:
        bases = self.dataset.enhancer_bases if side == "enhancer" else self.dataset.promoter_bases
        return kmer_tokens(torch.from_numpy(bases(pairs)))


class FoldedStem(GatheredTokens):
    """Embedding and convolution folded into one table, besides."""

    def peaks(self, stem: KmerStem, tokens: Tensor) -> tuple[Tensor, Tensor]:
        return stem.peaks(tokens)


class WithTokens(PortUnit):
    trainer_class = GatheredTokens


class WithStem(PortUnit):
    trainer_class = FoldedStem


class WithScoring(WithStem):
    """U_I of every pair once per scoring, whatever the support draws, by the harness's own scoring."""

    def scores(self, name: str, epoch: int, draws: int) -> SplitScores:
        scored, _ = score_splits(self.trainer, self.predictor, self.pairs, (name,), draws=draws, epoch=epoch)
        return scored[name]


RUNGS: Mapping[str, type[PortUnit]] = {
    "plain": PortUnit,
    "tokens": WithTokens,
    "stem": WithStem,
    "evaluation": WithScoring,
}
"""Each with what the ones before it have."""
