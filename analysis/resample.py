"""Bootstrap over clusters of pairs: neighbours on the genome are drawn together, in all cell lines at once."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
RESAMPLES = 1000


class Curve:
    """One ranking of pairs, sorted once, whose metrics are asked for under many weightings of its pairs."""

    def __init__(self, score: ArrayLike, label: ArrayLike) -> None:
        scores = np.asarray(score, dtype=np.float64)
        self._order = np.argsort(-scores, kind="stable")
        ordered = scores[self._order]
        self._last_of_tie = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
        self._positive = np.asarray(label)[self._order] == 1

    def metrics(self, weights: Floats) -> tuple[float, float, float]:
        """AUPR (average precision), AUC and best F1 with weights [N] of pairs; NaN where a class has none."""
        ordered = weights[self._order]
        true = np.cumsum(ordered * self._positive)[self._last_of_tie]
        called = np.cumsum(ordered)[self._last_of_tie]
        false = called - true
        if not (true[-1] > 0 and false[-1] > 0):
            return (float("nan"),) * 3
        steps, before = np.diff(true, prepend=0.0), np.append(0.0, true[:-1])
        precision = np.divide(true, called, out=np.zeros_like(true), where=called > 0)
        aupr = float(np.sum(steps * precision) / true[-1])
        auc = float(np.sum(np.diff(false, prepend=0.0) * (true + before)) / (2 * true[-1] * false[-1]))
        return aupr, auc, float(np.max(2 * true / (called + true[-1])))

    def aupr(self, weights: Floats) -> float:
        return self.metrics(weights)[0]


CURVE_METRICS = ("aupr", "auc", "f1_oracle")
"""What `Curve.metrics` gives, in order."""


def cluster_resamples(
    cluster: NDArray[np.int64],
    measure: Callable[[Floats], Floats],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Floats:
    """`measure` [k] of weights [N], for every resample [resamples, k]: as many clusters as there are, with replacement.

    cluster [N]: number of every pair's cluster, 0 to K - 1. A pair's weight is how often its cluster was drawn.
    """
    draw, count = np.random.default_rng(seed), int(cluster.max()) + 1
    each = []
    for _ in range(resamples):
        times = np.bincount(draw.integers(0, count, size=count), minlength=count).astype(np.float64)
        each.append(measure(times[cluster]))
    return np.array(each)


def percentiles(values: Floats, level: float = 0.95) -> tuple[float, float]:
    """Ends of the percentile interval of resampled values, NaN ones left out; NaN for fewer than two."""
    kept = values[np.isfinite(values)]
    if kept.size < 2:
        return float("nan"), float("nan")
    low, high = np.quantile(kept, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
