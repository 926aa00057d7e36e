"""How far one ordering of configurations agrees with another: rank correlation with its interval, and shared best ones."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.resample import percentiles

Floats = NDArray[np.float64]
RESAMPLES = 2000


@dataclass(frozen=True)
class Agreement:
    """Spearman's rank correlation over `count` configurations with its 95 % bootstrap interval (percentiles, configurations
    drawn with replacement); NaN where one of the orderings is constant."""

    rho: float
    low: float
    high: float
    count: int


def agreement(one: ArrayLike, other: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0) -> Agreement:
    """Of two values of each of n configurations."""
    first, second = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    draw, count = np.random.default_rng(seed), len(first)
    picked = draw.integers(0, count, size=(resamples, count))
    rhos = np.array([spearman(first[rows], second[rows]) for rows in picked])
    low, high = percentiles(rhos)
    return Agreement(spearman(first, second), low, high, count)


def spearman(one: Floats, other: Floats) -> float:
    """Correlation of ranks, ties at their mean rank; NaN where one side has a single value."""
    from scipy.stats import rankdata

    first, second = rankdata(one), rankdata(other)
    first, second = first - first.mean(), second - second.mean()
    size = math.sqrt(float(np.square(first).sum() * np.square(second).sum()))
    return float((first * second).sum()) / size if size > 0 else float("nan")


def shared_best(one: Sequence[float], other: Sequence[float], best: int, *, larger: bool) -> float:
    """Share of the `best` configurations by `other` that are among the `best` by `one`; ties by their order."""
    sign = -1.0 if larger else 1.0
    chosen = [
        set(np.argsort(sign * np.asarray(values, dtype=np.float64), kind="stable")[:best].tolist())
        for values in (one, other)
    ]
    return len(chosen[0] & chosen[1]) / best
