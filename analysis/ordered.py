"""Pairs in the order of their logits, found once for every prevalence and metric that is asked of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Ordered:
    """Logits [N] and classes [N] of one set of pairs, and what its metrics share whatever the prevalence.

    Raises ValueError for vectors of different lengths, and for labels other than 0 and 1.
    """

    def __init__(self, logit: ArrayLike, label: ArrayLike) -> None:
        self.scores: Floats = np.asarray(logit, dtype=np.float64)
        labels = np.asarray(label)
        if self.scores.ndim != 1 or self.scores.shape != labels.shape:
            raise ValueError(
                f"logit and label must be vectors of one length, not {self.scores.shape} and {labels.shape}"
            )
        self.positive: Flags = labels == 1
        if not np.all(self.positive | (labels == 0)):
            raise ValueError("labels must be 0 or 1")
        self._losses: dict[float, Floats] = {}

    @property
    def size(self) -> int:
        return self.scores.size

    @cached_property
    def positives(self) -> int:
        return int(self.positive.sum())

    @property
    def two_classes(self) -> bool:
        return 0 < self.positives < self.size

    @cached_property
    def finite(self) -> bool:
        """Whether every logit is; no pairs are."""
        return bool(np.isfinite(self.scores).all())

    @cached_property
    def probability(self) -> Floats:
        return np.asarray(expit(self.scores))

    def weights(self, prevalence: float | None) -> Floats:
        """p / (P/N) of positives and (1-p) / (1-P/N) of negatives; 1 where the pairs stay as they are."""
        if prevalence is None:
            return np.ones(self.size)
        if not 0.0 < prevalence < 1.0:
            raise ValueError(f"prevalence must lie between 0 and 1, not {prevalence}")
        share = self.positive.mean()
        return np.where(self.positive, prevalence / share, (1.0 - prevalence) / (1.0 - share))

    def losses(self, temperature: float) -> Floats:
        """softplus(-l/T) of positives and softplus(l/T) of negatives."""
        if temperature not in self._losses:
            margin = np.where(self.positive, self.scores, -self.scores) / temperature
            self._losses[temperature] = np.logaddexp(0.0, -margin)
        return self._losses[temperature]

    def curve(self, weights: Floats) -> "PositivesCurve":
        """The curve of pairs with these weights."""
        weight, positive, last = weights[self._order], self._called, self._last_of_tie
        return PositivesCurve(
            self._distinct, np.cumsum(weight * positive)[last], np.cumsum(weight * ~positive)[last]
        )

    @cached_property
    def _order(self) -> NDArray[np.intp]:
        """Highest first, and pairs of one logit as they come: what is added up along it depends on it in the last bit."""
        order = np.argsort(-self.scores)  # twice as fast as a stable one, which few ties are worth
        new = np.diff(self.scores[order]) != 0
        tied = np.append(~new, False) | np.append(False, ~new)
        run = np.append(0, np.cumsum(new))[tied]
        order[tied] = order[tied][np.lexsort((order[tied], run))]
        return order

    @cached_property
    def _called(self) -> Flags:
        return self.positive[self._order]

    @cached_property
    def _last_of_tie(self) -> NDArray[np.intp]:
        return np.append(np.flatnonzero(np.diff(self.scores[self._order])), self.size - 1)

    @cached_property
    def _distinct(self) -> Floats:
        return self.scores[self._order][self._last_of_tie]


@dataclass(frozen=True)
class PositivesCurve:
    """Weight of true and false positives when all pairs scored at least `score[k]` are called."""

    score: Floats
    true: Floats
    false: Floats

    def aupr(self) -> float:
        """Average precision: sum of precision times the step in recall."""
        steps = np.diff(self.true, prepend=0.0)
        return float(np.sum(steps * self.true / (self.true + self.false)) / self.true[-1])

    def auc(self) -> float:
        """Area under true against false positive rate by trapezoids (ties count one half)."""
        height = self.true + np.append(0.0, self.true[:-1])
        area = np.sum(np.diff(self.false, prepend=0.0) * height) / 2.0
        return float(area / (self.true[-1] * self.false[-1]))

    def best_f1(self) -> tuple[float, float]:
        """Best F1 and its threshold as a logit, the highest of equally good ones.

        The threshold lies midway between the two neighbouring distinct scores, so that rounding does not flip
        predictions; it is the upper one where no number lies between them, and the lowest score itself where calling
        every pair positive is best.
        """
        f1 = 2.0 * self.true / (self.true + self.false + self.true[-1])
        best = int(np.argmax(f1 >= f1.max() - 1e-12))
        cut = float(self.score[best])
        if best == self.score.size - 1:
            return float(f1[best]), cut
        below = float(self.score[best + 1])
        middle = 0.5 * cut + 0.5 * below
        return float(f1[best]), middle if below < middle <= cut else cut


class OrderedCells:
    """The same of each cell line, by name, and of all pairs: `cell` [N] holds names."""

    def __init__(self, logit: ArrayLike, label: ArrayLike, cell: ArrayLike) -> None:
        scores, labels, cells = np.asarray(logit), np.asarray(label), np.asarray(cell)
        if cells.shape != scores.shape:
            raise ValueError(f"cell must have the shape of logit {scores.shape}, not {cells.shape}")
        self.rows: Mapping[str, Flags] = {str(name): cells == name for name in np.unique(cells)}
        self.lines = {name: Ordered(scores[here], labels[here]) for name, here in self.rows.items()}
        self.pooled = Ordered(scores, labels)

    def auprs(self, prevalence: float | None) -> list[float]:
        """AUPR of every cell line, their mean over those where it is defined, and of all pairs; NaN where undefined."""
        each = [aupr(pairs, prevalence) for pairs in self.lines.values()]
        defined = [value for value in each if np.isfinite(value)]
        return [*each, float(np.mean(defined)) if defined else float("nan"), aupr(self.pooled, prevalence)]


def aupr(pairs: Ordered, prevalence: float | None) -> float:
    """Average precision of pairs at a prevalence; NaN with one class, and for a logit that is not finite."""
    if not pairs.two_classes or not pairs.finite:
        return float("nan")
    return pairs.curve(pairs.weights(prevalence)).aupr()
