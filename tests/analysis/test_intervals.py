"""Intervals and paired tests against scipy, statsmodels, enumeration and simulation."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from analysis.intervals import Interval, t_interval
from analysis.paired import (
    MOST_FLIPPED,
    minimum_detectable_effect,
    paired_effect,
    probability_of_improvement,
    sign_flip_p,
    smallest_sign_flip_p,
    t_test_p,
)


def test_t_interval_is_scipys() -> None:
    values = [0.61, 0.63, 0.60, 0.66]
    expected = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    interval = t_interval(values)
    assert (interval.low, interval.high) == pytest.approx(expected)
    # By hand: t(0.975, 3) = 3.18245.
    assert interval.high - interval.mean == pytest.approx(3.18245 * np.std(values, ddof=1) / 2, rel=1e-5)
    assert t_interval([*values, math.nan]) == interval


def test_interval_without_replication_is_nan() -> None:
    assert t_interval([0.5]).mean == 0.5
    assert math.isnan(t_interval([0.5]).low)
    assert math.isnan(t_interval([]).mean)
    with pytest.raises(ValueError, match="level"):
        t_interval([1.0, 2.0], level=95)


@pytest.mark.parametrize("n", [3, 5])
def test_coverage_is_nominal_where_a_bootstrap_falls_short(n: int) -> None:
    rng = np.random.default_rng(n)
    draws = rng.normal(size=(2000, n))
    covered = np.mean([i.low <= 0 <= i.high for i in map(t_interval, draws)])
    means = draws[:, rng.integers(0, n, size=(400, n))].mean(axis=2)
    low, high = np.quantile(means, [0.025, 0.975], axis=1)
    bootstrap = np.mean((low <= 0) & (high >= 0))
    assert covered == pytest.approx(0.95, abs=0.015)
    assert bootstrap < 0.87


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.004, 0.003, "equal"),
        (0.001, 0.004, "equal"),
        (0.001, 0.02, "better"),
        (-0.02, -0.001, "worse"),
        (-0.02, 0.02, "unknown"),
        (-0.001, 0.02, "unknown"),
        (math.nan, math.nan, "unknown"),
    ],
)
def test_no_effect_differs_from_unknown(low: float, high: float, verdict: str) -> None:
    assert Interval((low + high) / 2, low, high, 0.01, 5).verdict(0.005) == verdict


def test_sign_flip_is_the_enumeration() -> None:
    for seed in range(4):
        sample = np.random.default_rng(seed).normal(0.4, 1, size=7)
        flips = [abs(np.mean(sample * signs)) for signs in itertools.product([1, -1], repeat=7)]
        expected = np.mean(np.asarray(flips) >= abs(sample.mean()) - 1e-12)
        assert sign_flip_p(sample) == pytest.approx(expected)


def test_smallest_p_by_seeds() -> None:
    assert sign_flip_p([0.1] * 21) == 2.0**-20, "exact beyond what an enumeration would hold"
    assert math.isnan(sign_flip_p([0.1] * (MOST_FLIPPED + 1)))
    assert smallest_sign_flip_p(5) == 0.0625
    assert smallest_sign_flip_p(6) == 0.03125
    assert math.isnan(sign_flip_p([0.1] * 5))
    assert sign_flip_p([0.1, 0.2, 0.3, 0.15, 0.12, 0.2]) == pytest.approx(0.03125)


@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_detectable_effect_has_the_power_it_claims(n: int) -> None:
    sample = np.random.default_rng(n).normal(0, 0.01, size=n)
    effect = minimum_detectable_effect(sample)
    # The upper tail alone: scipy's lower one is NaN at some of the shifts that two units take, and nothing beside it.
    shift, critical = effect / sample.std(ddof=1) * np.sqrt(n), stats.t.ppf(0.975, n - 1)
    power = stats.nct.sf(critical, n - 1, shift)
    assert power == pytest.approx(0.8, abs=1e-3)
    # A slow reference: simulate that true difference.
    if n >= 5:
        rng = np.random.default_rng(0)
        draws = rng.normal(effect, sample.std(ddof=1), size=(4000, n))
        assert np.mean(stats.ttest_1samp(draws, 0, axis=1).pvalue < 0.05) == pytest.approx(0.8, abs=0.03)


def test_paired_effect_of_too_few_or_constant() -> None:
    one = paired_effect([0.1])
    assert one.interval.mean == 0.1
    assert math.isnan(one.p_t)
    assert math.isnan(one.detectable)
    assert t_test_p([0.0, 0.0]) == 1.0
    assert math.isnan(t_test_p([0.2, 0.2]))
    assert math.isnan(minimum_detectable_effect([0.2, 0.2]))
    assert t_test_p([0.1, 0.3, 0.2]) == pytest.approx(stats.ttest_1samp([0.1, 0.3, 0.2], 0).pvalue)


def test_probability_of_improvement_counts_pairs() -> None:
    # 5 > 1,2 (2), 2 > 1 and = 2 (1.5): 3.5 of 4.
    assert probability_of_improvement([5, 2], [1, 2]) == pytest.approx(3.5 / 4)
    assert math.isnan(probability_of_improvement([], [1.0]))
