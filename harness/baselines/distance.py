"""Genomic distance alone."""

import numpy as np
from numpy.typing import NDArray

from harness.baselines.baseline import BASELINES, Baseline, in_chunks
from harness.baselines.features import PairFeatures, Rows


@BASELINES.register(
    "distance",
    id="B05",
    name="distance only",
    equation="l = sum_t tree_t(ln(1 + bp between enhancer and promoter)), 60 trees of 4 leaves",
    shapes="pairs [n] -> logits [n]",
    source="definitions, Shortcut baselines",
)
class Distance(Baseline):
    """Sees the distance between the two elements only; trees, since the relation need not be monotone.

    Pairs across chromosomes are a branch of their own; a dataset of nothing else gets the training log-odds.
    """

    note = "distance between the elements only"

    def fit(self, features: PairFeatures, train: Rows) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier  # here, so that no start waits for it

        train = self.subset(train)
        self._model = HistGradientBoostingClassifier(
            max_iter=60,
            learning_rate=0.1,
            max_leaf_nodes=4,
            min_samples_leaf=40,
            early_stopping=False,
            random_state=0,
        )
        self._model.fit(features.log_distance(train)[:, None], features.labels(train))

    def logits(self, features: PairFeatures, pairs: Rows) -> NDArray[np.float64]:
        return in_chunks(
            lambda part: self._model.decision_function(features.log_distance(part)[:, None]), pairs
        )
