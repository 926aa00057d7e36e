"""Dunnett's test in blocks against known cases and a simulation, and the two one-sided tests."""

import math

import numpy as np
import pytest
from scipy import stats

from analysis.criteria import CRITERIA
from analysis.dunnett import dunnett_p
from analysis.equivalence import equivalence_p, seeds_needed, verdict
from analysis.intervals import t_interval
from analysis.power import seeds_for_equivalence

AUPR = CRITERIA["aupr"]


def test_one_arm_is_the_paired_t_test() -> None:
    differences = np.random.default_rng(0).normal(0.004, 0.01, (1, 7))
    assert dunnett_p(differences)[0] == pytest.approx(stats.ttest_1samp(differences[0], 0).pvalue)


def test_many_seeds_agree_with_dunnett_on_independent_samples() -> None:
    values = np.random.default_rng(1).normal(0, 1, (5, 2000))
    values[1] += 0.08
    independent = stats.dunnett(*values[1:], control=values[0], rng=0).pvalue
    assert dunnett_p(values[1:] - values[0]) == pytest.approx(independent, abs=0.02)


def test_seed_levels_do_not_matter() -> None:
    random = np.random.default_rng(2)
    values = random.normal(0, 0.01, (4, 6))
    shifted = values + random.normal(0, 1, 6)
    assert dunnett_p(shifted[1:] - shifted[0]) == pytest.approx(dunnett_p(values[1:] - values[0]), abs=1e-9)


def test_smallest_p_of_a_family_keeps_its_error() -> None:
    random = np.random.default_rng(3)
    smallest = []
    for _ in range(120):
        values = random.normal(0, 1, (4, 5))
        smallest.append(dunnett_p(values[1:] - values[0]).min())
    rate = np.mean(np.asarray(smallest) < 0.05)
    assert abs(rate - 0.05) < 3 * math.sqrt(0.05 * 0.95 / 120)


@pytest.mark.parametrize("sample", [[[0.1], [0.2]], [[0.1, math.nan], [0.1, 0.2]], [[0.0, 0.0], [0.0, 0.0]]])
def test_what_cannot_be_tested_is_nan(sample: list[list[float]]) -> None:
    assert np.isnan(dunnett_p(sample)).all()


def test_equivalence_is_the_larger_of_two_one_sided_tests() -> None:
    sample = np.random.default_rng(4).normal(0.001, 0.008, 30)
    lower = stats.ttest_1samp(sample, -0.005, alternative="greater").pvalue
    upper = stats.ttest_1samp(sample, 0.005, alternative="less").pvalue
    assert equivalence_p(t_interval(sample), 0.005) == pytest.approx(max(lower, upper))
    ninety = t_interval(sample, 0.9)
    assert (max(lower, upper) < 0.05) == (ninety.low >= -0.005 and ninety.high <= 0.005)


def test_no_effect_is_said_where_the_seeds_allow_it() -> None:
    sample = np.tile([0.004, -0.004], 20)
    interval = t_interval(sample)
    assert verdict(interval, 1.0, AUPR, 0.005) == "no effect"
    assert verdict(interval, 1.0, AUPR, 0.005, censored=True) == "unknown"
    assert verdict(t_interval(sample[:4]), 1.0, AUPR, 0.005) == "unknown"
    assert equivalence_p(t_interval([0.001]), 0.005) != equivalence_p(t_interval([0.001]), 0.005)
    assert equivalence_p(t_interval([0.001, 0.001]), 0.005) == 0.0
    assert equivalence_p(t_interval([0.1, 0.1]), 0.005) == 1.0


def test_seeds_of_no_effect_are_those_of_real_pairs_at_least() -> None:
    assert seeds_needed(0.001, AUPR, 0.005) == seeds_needed(0.008, AUPR, 0.005) == 24
    assert seeds_needed(0.02, AUPR, 0.005) == seeds_for_equivalence(0.02, 0.005)
    assert seeds_needed(0.001, AUPR, 0.005, runs=8) == seeds_for_equivalence(0.004, 0.005)
    nll = CRITERIA["nll"]
    assert seeds_needed(0.001, nll, 0.005) == seeds_for_equivalence(0.001, 0.005)
