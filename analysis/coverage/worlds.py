"""Simulated runs whose truth is known: what seeds and folds give, when the numbers are AUPR of clustered pairs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

Draw = Callable[[np.random.Generator, int], np.ndarray]
"""(random numbers, how many) -> values [how many] of one unit each."""
RESEMBLING = 5_000
"""Pairs of folds by which their resemblance is measured: its standard error is about 0.01."""


def average_precision(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """AP [runs] = (1 / P) sum over positives of the precision at their rank, of continuous scores [runs, pairs] and one
    labels [pairs] of 0 and 1; as scikit-learn's without ties."""
    ranked = labels[np.argsort(-scores, axis=1)]
    ranks = np.arange(1, labels.size + 1)
    precision: np.ndarray = np.cumsum(ranked, axis=1) / ranks
    result: np.ndarray = (precision * ranked).sum(1) / labels.sum()
    return result


@dataclass(frozen=True)
class ClusteredPairs:
    """Unseen pairs of one experiment: `lines` cell lines with `loci` loci of `of_locus` pairs each, in every other locus
    three of four of them positive, in the others one of four. SDs of the logits: what loci and pairs have of their own in
    every run, and what each seed adds to loci, pairs and the distance between the classes; `between`: SD of that distance
    over cell lines."""

    lines: int = 6
    loci: int = 16
    of_locus: int = 8
    distance: float = 0.7
    locus: float = 0.5
    pair: float = 0.5
    seed_locus: float = 0.3
    seed_pair: float = 0.6
    seed_distance: float = 0.1
    between: float = 0.25

    @property
    def labels(self) -> np.ndarray:
        """0 and 1 [pairs]."""
        rare = np.arange(self.of_locus) % 4 == 0
        each = np.where((np.arange(self.loci) % 2 == 0)[:, None], rare, ~rare)
        return each.ravel().astype(int)

    def _runs(self, random: np.random.Generator, fixed: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """AUPR [runs] of one line's pairs: `fixed` [pairs] or [runs, pairs] of their own, `distance` [runs]."""
        runs = distance.size
        loci = random.normal(0, self.seed_locus, (runs, self.loci)).repeat(self.of_locus, axis=1)
        scores = fixed + loci + random.normal(0, self.seed_pair, (runs, self.labels.size))
        return average_precision(scores + distance[:, None] * self.labels, self.labels)

    def _fixed(self, random: np.random.Generator, runs: int) -> np.ndarray:
        loci = random.normal(0, self.locus, (runs, self.loci)).repeat(self.of_locus, axis=1)
        return loci + random.normal(0, self.pair, (runs, self.labels.size))

    def seeds(self, world: np.random.Generator) -> Draw:
        """Macro AUPR of seeds on lines, loci and pairs that `world` draws once: what an interval over seeds is about."""
        fixed = self._fixed(world, self.lines)
        distances = self.distance + world.normal(0, self.between, self.lines)

        def draw(random: np.random.Generator, count: int) -> np.ndarray:
            better = random.normal(0, self.seed_distance, count)
            each = [self._runs(random, fixed[line], distances[line] + better) for line in range(self.lines)]
            return np.mean(each, axis=0)

        return draw

    def folds(self, correlation: float, folds: int) -> Callable[[np.random.Generator, int], np.ndarray]:
        """AUPR [experiments, folds], each fold on a line and pairs of its own; results of an experiment's folds have this
        `correlation`, as those that are trained on almost the same pairs. The truth is that of a new line in a new
        experiment. ValueError for a correlation that the noise of pairs and seeds leaves no room for."""
        share = correlation / self.resemblance if correlation else 0.0
        if not 0 <= share <= 1:
            raise ValueError(f"correlation must lie between 0 and {self.resemblance:.2f}, not {correlation}")
        return self._folds(share, folds)

    @cached_property
    def resemblance(self) -> float:
        """Correlation of two folds' AUPR whose lines have the same distance between the classes: the most there can be, as
        pairs and seeds are each fold's own."""
        values = self._folds(1.0, 2)(np.random.default_rng(0), RESEMBLING)
        return float(np.corrcoef(values.T)[0, 1])

    def _folds(self, share: float, folds: int) -> Callable[[np.random.Generator, int], np.ndarray]:
        """As `folds`, with this share of the distance's variance in common."""

        def draw(random: np.random.Generator, experiments: int) -> np.ndarray:
            common = random.normal(0, self.between * np.sqrt(share), (experiments, 1))
            apart = random.normal(0, self.between * np.sqrt(1 - share), (experiments, folds))
            distance = (self.distance + common + apart).ravel()
            fixed = self._fixed(random, distance.size)
            return self._runs(random, fixed, distance).reshape(experiments, folds)

        return draw


def skewed(mean: float = 0.6, sd: float = 0.01, shape: float = 6.0) -> Draw:
    """Seeds whose effects have a long tail to worse values: mean - sd (G - k) / sqrt(k), G ~ Gamma(k); skewness
    -2 / sqrt(k), -0.8 at the default."""

    def draw(random: np.random.Generator, count: int) -> np.ndarray:
        return mean - sd * (random.gamma(shape, 1.0, count) - shape) / np.sqrt(shape)

    return draw
