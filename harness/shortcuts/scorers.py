"""What scores pairs in the report beside the registered baselines: one side alone, lengths, and how often an element is
positive."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from harness.baselines.baseline import BASELINES, Baseline, in_chunks
from harness.baselines.features import PairFeatures, Rows
from harness.baselines.kmer_boosting import KmerBoosting
from harness.baselines.kmer_logistic import KmerLogistic
from harness.shortcuts.loci import side_loci


class EnhancerKmerLogistic(KmerLogistic):
    """Sees the enhancer's sequence only."""

    sides = ("enhancers",)
    note = "enhancer sequence only"


class EnhancerKmerBoosting(KmerBoosting):
    """Sees the enhancer's sequence only."""

    sides = ("enhancers",)
    note = "enhancer sequence only"


class Lengths(Baseline):
    """l = sum of 60 trees of 4 leaves over the lengths in bp of both whole sequences."""

    note = "lengths of the two sequences only"

    def fit(self, features: PairFeatures, train: Rows) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier  # here, so that no start waits for it

        train = self.subset(train)
        self._model = HistGradientBoostingClassifier(
            max_iter=60, learning_rate=0.1, max_leaf_nodes=4, min_samples_leaf=40, early_stopping=False, random_state=0
        )  # fmt: skip
        self._model.fit(self._columns(features, train), features.labels(train))

    def logits(self, features: PairFeatures, pairs: Rows) -> NDArray[np.float64]:
        return in_chunks(lambda part: self._model.decision_function(self._columns(features, part)), pairs)

    def _columns(self, features: PairFeatures, pairs: Rows) -> NDArray[np.float64]:
        data = features.dataset
        sides = (("enhancers", data.enhancer_row), ("promoters", data.promoter_row))
        return np.stack([data.sequence_lengths(side)[row[pairs]] for side, row in sides], 1).astype(float)


class Propensity(Baseline):
    """l = ln(p / (1 - p)), p = (y + q) / (n + 1): of the n training pairs of the same cell line with an element at the same
    locus y are positive; q is the training prevalence. It needs no sequence, and knows nothing where no pair is.
    """

    note = "how often the element is positive in other pairs of its cell line"
    side: str

    def fit(self, features: PairFeatures, train: Rows) -> None:
        keys, label = self._keys(features), features.labels(train).astype(np.float64)
        self._count = np.bincount(keys[train], minlength=int(keys.max()) + 1)
        self._positive = np.bincount(keys[train], weights=label, minlength=len(self._count))
        self._prior = float(np.clip(label.mean(), 1e-3, 1 - 1e-3))

    def logits(self, features: PairFeatures, pairs: Rows) -> NDArray[np.float64]:
        key = self._keys(features)[pairs]
        return np.asarray(logit((self._positive[key] + self._prior) / (self._count[key] + 1.0)))

    def _keys(self, features: PairFeatures) -> Rows:
        cell = np.asarray(features.dataset.cell, dtype=np.int64)
        return side_loci(features.dataset, self.side) * (int(cell.max()) + 1) + cell


class PromoterPropensity(Propensity):
    """Of the promoter."""

    side = "promoter"


class EnhancerPropensity(Propensity):
    """Of the enhancer."""

    side = "enhancer"


def on_folds() -> Mapping[str, Callable[[], Baseline]]:
    """Name -> what is fitted on a fold: the registered baselines, and what they leave out."""
    registered = {row.key: row.cls for row in BASELINES}
    others = {
        "enhancer_kmer_logistic": EnhancerKmerLogistic,
        "enhancer_kmer_boosting": EnhancerKmerBoosting,
        "lengths": Lengths,
    }
    return {**registered, **others}
