"""Paired differences over units: interval, tests, and what could have been detected."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analysis.intervals import Interval, t_interval
from analysis.power import detectable, smallest_adjusted_p

MOST_FLIPPED = 36
"""Units up to which the sign-flip test is done: of more, its exact p takes memory, and the t-test says as much."""


@dataclass(frozen=True)
class PairedEffect:
    """b - a over paired units.

    `p_t` is of the paired t-test; `p_sign_flip` of the exact sign-flip test, NaN where even the smallest
    reachable one, `p_smallest` = 2 / 2^n, is not below 0.05; `detectable` the smallest true difference that
    a two-sided t-test at 5 % finds with 80 % power given the observed spread.
    """

    interval: Interval
    p_t: float
    p_sign_flip: float
    p_smallest: float
    detectable: float


def paired_effect(differences: ArrayLike, level: float = 0.95) -> PairedEffect:
    """The effect of differences [n], one per unit; with n < 2 all but the mean is NaN."""
    sample = np.asarray(differences, dtype=np.float64)
    sample = sample[~np.isnan(sample)]
    return PairedEffect(
        interval=t_interval(sample, level),
        p_t=t_test_p(sample),
        p_sign_flip=sign_flip_p(sample),
        p_smallest=smallest_sign_flip_p(sample.size),
        detectable=minimum_detectable_effect(sample),
    )


def t_test_p(differences: ArrayLike) -> float:
    """Two-sided p of the one-sample t-test of the differences against 0.

    NaN for n < 2, and where all differences are equal and not 0: without any spread there is nothing to judge them by. 1
    when all are 0.
    """
    sample = np.asarray(differences, dtype=np.float64)
    if sample.size < 2:
        return float("nan")
    if sample.std() == 0:
        return 1.0 if sample[0] == 0 else float("nan")
    from scipy import stats

    with warnings.catch_warnings():
        # scipy warns of lost precision for nearly constant differences; the p is then tiny either way.
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(stats.ttest_1samp(sample, 0.0).pvalue)


def smallest_sign_flip_p(n: int) -> float:
    """2 / 2^n: the smallest two-sided p of the sign-flip test with n units (5: 0.0625, 6: 0.031)."""
    return smallest_adjusted_p(n)


def sign_flip_p(differences: ArrayLike) -> float:
    """Share of the 2^n sign assignments whose absolute mean is at least the observed one, exact.

    All sums of one half of the units are sorted and met with those of the other half, so that 2^(n/2) are written down
    (scipy's permutation_test goes through all 2^n). NaN where no p below 0.05 can be reached (n < 6), and above
    `MOST_FLIPPED` units. Assumes differences symmetric about 0 under the null.
    """
    sample = np.asarray(differences, dtype=np.float64)
    if not sample.size <= MOST_FLIPPED or smallest_sign_flip_p(sample.size) >= 0.05:
        return float("nan")
    # Sums that differ by rounding alone are equal, as in scipy.
    least = abs(sample.sum()) - 1e-12 * np.abs(sample).sum()
    left, right = (_signed_sums(half) for half in (sample[: sample.size // 2], sample[sample.size // 2 :]))
    right.sort()
    above = right.size - np.searchsorted(right, least - left, side="left")
    below = np.searchsorted(right, -least - left, side="right")
    return float(min(1.0, (above.sum() + below.sum()) / 2.0**sample.size))


def _signed_sums(values: np.ndarray) -> np.ndarray:
    """Sums of the values under every assignment of signs [2^n]."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def minimum_detectable_effect(differences: ArrayLike, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Smallest true difference that a paired two-sided t-test finds with the given power, in the metric's
    units.

    Solves the noncentral t power function for the standardised effect (statsmodels) and multiplies by the
    observed standard deviation. NaN for n < 2 and without spread.
    """
    sample = np.asarray(differences, dtype=np.float64)
    spread = float(sample.std(ddof=1)) if sample.size > 1 else float("nan")
    return detectable(spread, sample.size, alpha=alpha, power=power)


def probability_of_improvement(a: ArrayLike, b: ArrayLike) -> float:
    """P(A > B) = (1/nm) sum over pairs of [a > b] + [a = b] / 2 (Agarwal et al. 2021, Mann-Whitney).

    Both are values of units; NaN when one has none.
    """
    left, right = (np.asarray(x, dtype=np.float64) for x in (a, b))
    left, right = left[~np.isnan(left)], right[~np.isnan(right)]
    if left.size == 0 or right.size == 0:
        return float("nan")
    # scipy's mannwhitneyu gives the same statistic, and works out a p that nobody asks for, a millisecond each.
    above = np.sum(left[:, None] > right) + np.sum(left[:, None] == right) / 2
    return float(above / (left.size * right.size))
