"""Whether two paired sets of vectors depend on each other: an estimate against its own permutation null."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Independence:
    """One measurement: `value` in [0, 1] of `estimator` on `n` samples, mean and 95 % quantile of the null, and `p`,
    the share of the null (the value itself counted in) that is at least as large."""

    estimator: str
    n: int
    value: float
    null_mean: float
    null_high: float
    p: float

    @property
    def dependent(self) -> bool:
        """Outside the null: p < 0.05. False is no proof of independence, only of no evidence against it."""
        return self.p < 0.05


def squared_distances(x: Array) -> Array:
    """||x_n - x_m||^2 [n, n] of x [n, d]."""
    square = (x**2).sum(1)
    return np.maximum(square[:, None] + square - 2 * x @ x.T, 0.0)


def gaussian_kernel(x: Array) -> Array:
    """exp(-||x_n - x_m||^2 / m) with m the median squared distance of different samples; ones where that is 0."""
    distance = squared_distances(x)
    apart = distance[distance > 1e-12 * max(distance.max(), 1e-300)]
    return np.exp(-distance / np.median(apart)) if apart.size else np.ones_like(distance)


def negative_distance(x: Array) -> Array:
    """-||x_n - x_m||: the kernel of distance covariance."""
    return -np.sqrt(squared_distances(x))


ESTIMATORS: dict[str, Callable[[Array], Array]] = {"hsic": gaussian_kernel, "distance": negative_distance}
"""Name -> kernel. hsic: Gretton et al. 2005, Gaussian kernel; distance: Szekely et al. 2007, distance correlation."""


def other_than(trained: Collection[str]) -> str:
    """The estimator to measure with when training lowered those in `trained`: never the one that was lowered."""
    return "distance" if "hsic" in trained else "hsic"


def measure(
    x: Array,
    y: Array,
    *,
    estimator: str = "hsic",
    permutations: int = 199,
    most: int = 512,
    seed: int = 0,
) -> Independence:
    """Dependence of x [n, d] and y [n, w], row by row: <HKH, HLH> / (|HKH| |HLH|) against permuted rows of y.

    Every dimension is scaled to variance 1 first (a constant one is left out); of more than `most` rows, `most` are
    drawn. The null keeps both sets of rows and breaks only their pairing, so that it holds for any n and any
    kernel, also where y takes few different values (one per cell line). Its unit is the row: "dependent" says that
    the rows of x are distributed differently between rows of y, be it for the cell line's own share of positives.
    What it does not certify: independence. Few rows, or dependence in a direction of little spread, stay inside the
    null; permuted rows are exchangeable only if rows of x are drawn independently given y.

    Fewer than 4 rows, or a value that is not finite, give NaN for value, null and p; a side without any spread
    gives value 0 and p = 1. Raises KeyError for an unknown estimator and ValueError for rows that do not pair.
    Source: definitions, Decoupling.
    """
    if estimator not in ESTIMATORS:
        raise KeyError(f"estimator '{estimator}' is not one of {', '.join(ESTIMATORS)}")
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise ValueError(f"x {x.shape} and y {y.shape} are not two tables of the same number of rows")
    draw = np.random.default_rng(seed)
    if len(x) > most:
        chosen = np.sort(draw.choice(len(x), size=most, replace=False))
        x, y = x[chosen], y[chosen]
    n = len(x)
    if n < 4 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        nan = float("nan")
        return Independence(estimator, n, nan, nan, nan, nan)
    a, b = (_centred(ESTIMATORS[estimator](_scaled(side))) for side in (x, y))
    scale = np.sqrt((a**2).sum() * (b**2).sum())
    if scale < 1e-12:
        return Independence(estimator, n, 0.0, 0.0, 0.0, 1.0)
    value = float((a * b).sum() / scale)
    null = np.empty(permutations)
    for k in range(permutations):
        order = draw.permutation(n)
        null[k] = (a * b[np.ix_(order, order)]).sum() / scale
    p = (1 + int((null >= value - 1e-12).sum())) / (1 + permutations)
    return Independence(estimator, n, value, float(null.mean()), float(np.quantile(null, 0.95)), p)


def _scaled(x: Array) -> Array:
    """Dimensions of variance 1 in float64; those that are constant up to rounding are left out."""
    centred = x.astype(np.float64) - x.mean(0, dtype=np.float64)
    spread = centred.std(0)
    varies = spread > 1e-6 * np.maximum(np.abs(x).max(0), 1e-30)
    return centred[:, varies] / spread[varies]


def _centred(kernel: Array) -> Array:
    mean = kernel.mean(0)
    centred: Array = kernel - mean - mean[:, None] + mean.mean()
    return centred
