"""What a number of seeds can see, by hand, by simulation, and by what must hold."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestPower

from analysis.power import (
    detectable,
    equivalence_power,
    holm,
    largest_sd,
    seeds_for_equivalence,
    seeds_for_sign_flip,
    smallest_adjusted_p,
)


def test_detectable_difference_has_the_power_it_names() -> None:
    effect = detectable(0.008, 6, 4)
    shift, level = effect / 0.008 * math.sqrt(6), 0.05 / 4
    critical = stats.t.ppf(1 - level / 2, 5)
    power = stats.nct.sf(critical, 5, shift) + stats.nct.cdf(-critical, 5, shift)
    assert power == pytest.approx(0.8, abs=1e-6)


def test_neither_one_seed_nor_no_spread_says_what_could_be_seen() -> None:
    assert math.isnan(detectable(0.008, 1))
    assert math.isnan(detectable(0.0, 3))


def test_smallest_adjusted_p_by_hand() -> None:
    assert smallest_adjusted_p(5) == 0.0625
    assert smallest_adjusted_p(6) == 0.03125
    assert smallest_adjusted_p(6, 7) == 7 / 32
    assert smallest_adjusted_p(2, 7) == 1.0
    assert (seeds_for_sign_flip(1), seeds_for_sign_flip(7)) == (6, 9)


def test_equivalence_power_agrees_with_a_simulation() -> None:
    draws = np.random.default_rng(0).normal(0, 0.008, (20_000, 25))
    half = stats.t.ppf(0.95, 24) * draws.std(1, ddof=1) / 5
    within = (abs(draws.mean(1)) + half < 0.005).mean()
    assert equivalence_power(0.008, 25, 0.005) == pytest.approx(within, abs=0.01)


def test_seeds_for_equivalence_are_the_fewest() -> None:
    needed = seeds_for_equivalence(0.008, 0.005)
    assert needed == 24
    assert equivalence_power(0.008, 23, 0.005) < 0.8 <= equivalence_power(0.008, 24, 0.005)
    assert seeds_for_equivalence(1.0, 0.001) is None
    assert seeds_for_equivalence(0.0, 0.005) == 2


def test_holm_by_hand_counts_members_without_result() -> None:
    assert holm([0.01, 0.04, 0.03], 3) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.01], 4) == pytest.approx([0.04])
    adjusted = holm([0.01, math.nan], 2)
    assert adjusted[0] == pytest.approx(0.02)
    assert math.isnan(adjusted[1])


@pytest.mark.parametrize("family", [1, 7])
def test_detectable_difference_is_that_of_statsmodels(family: int) -> None:
    known = TTestPower().solve_power(nobs=8, alpha=0.05 / family, power=0.8)
    assert detectable(1.0, 8, family) == pytest.approx(float(np.ravel(known)[0]), rel=1e-4)


def test_detectable_difference_of_two_seeds_by_simulation() -> None:
    effect, critical = detectable(1.0, 2, 4), stats.t.ppf(1 - 0.05 / 8, 1)
    draws = np.random.default_rng(0).normal(effect, 1.0, (100_000, 2))
    t = draws.mean(1) / (draws.std(1, ddof=1) / math.sqrt(2))
    assert (abs(t) > critical).mean() == pytest.approx(0.8, abs=0.01)


def test_largest_spread_by_hand() -> None:
    # 95 % of chi-squared draws with 7 degrees of freedom lie above 2.167.
    assert largest_sd(0.01, 8) == pytest.approx(0.01 * math.sqrt(7 / 2.16735), rel=1e-5)
    assert largest_sd(0.01, 2) > 0.15


@settings(max_examples=10, deadline=None)
@given(st.floats(0.001, 0.05), st.integers(2, 40), st.integers(1, 20))
def test_more_seeds_see_less_and_a_larger_family_more(sd: float, seeds: int, family: int) -> None:
    assert detectable(sd, seeds + 1, family) < detectable(sd, seeds, family)
    assert detectable(sd, seeds, family + 1) > detectable(sd, seeds, family)
