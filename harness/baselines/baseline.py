"""The interface that every baseline has, and the registry that names them."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.baselines.features import PairFeatures, Rows
from models.registry import Registry

TRAINING_LIMIT = 50_000
"""Pairs that a baseline is fitted on at most; beyond, a fixed random subset, which `note` then says."""
PAIRS_AT_ONCE = 8192


class Baseline(ABC):
    """A scorer of pairs that knows nothing of interaction, fitted on one fold's training pairs.

    `note` says what it sees. The labels of pairs that it is not fitted on are hidden from it (-1 in the columns of the
    dataset, an error where it asks for them), unless it `copies` those of the training cell lines.
    """

    note: ClassVar[str]
    copies: ClassVar[bool] = False
    """Whether it sees all labels of the training cell lines, those at held-out loci too: no competitor of a model."""

    remark: str = ""
    """What `fit` adds to the note."""

    @abstractmethod
    def fit(self, features: PairFeatures, train: Rows) -> None:
        """Fit on pair indices `train` [n] (both classes present). Deterministic."""

    @abstractmethod
    def logits(self, features: PairFeatures, pairs: Rows) -> NDArray[np.float64]:
        """Log-odds [m] of pair indices `pairs` [m], finite; those of the training prevalence where there is nothing to go
        by."""

    def subset(self, train: Rows) -> Rows:
        """`train`, or `TRAINING_LIMIT` of them drawn without replacement (fixed seed, ascending)."""
        if len(train) <= TRAINING_LIMIT:
            return train
        self.remark = f"; fitted on {TRAINING_LIMIT} of {len(train)} training pairs"
        return np.sort(np.random.default_rng(0).choice(train, TRAINING_LIMIT, replace=False))


def in_chunks(score: Callable[[Rows], NDArray[np.float64]], pairs: Rows) -> NDArray[np.float64]:
    """`score` of pair indices [m], `PAIRS_AT_ONCE` at a time: [m]."""
    parts = [score(pairs[first : first + PAIRS_AT_ONCE]) for first in range(0, len(pairs), PAIRS_AT_ONCE)]
    return np.concatenate(parts).astype(np.float64) if parts else np.empty(0)


BASELINES: Registry[Baseline] = Registry("baseline", Baseline)
