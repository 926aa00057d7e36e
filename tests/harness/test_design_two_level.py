"""Two-level designs: orthogonal, of the resolution that they say, and those of the published tables."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.design.two_level import (
    aliases,
    defining,
    find_generators,
    fraction,
    full,
    partial_aliases,
    plackett_burman,
    resolution_of,
)


def column(levels: np.ndarray, effect: frozenset[int]) -> np.ndarray:
    product: np.ndarray = levels[:, sorted(effect)].prod(1)
    return product


def balanced(levels: np.ndarray) -> bool:
    """Whether every factor has both levels equally often, and every pair each combination."""
    return (
        np.array_equal(levels.T @ levels, len(levels) * np.eye(levels.shape[1])) and not levels.sum(0).any()
    )


def test_a_full_design_has_every_combination_once() -> None:
    levels = full(4)
    assert len({tuple(row) for row in levels.tolist()}) == len(levels) == 16
    assert balanced(levels)


@settings(deadline=None, max_examples=40)
@given(factors=st.integers(3, 9), resolution=st.integers(3, 5))
def test_a_fraction_has_the_resolution_asked_for(factors: int, resolution: int) -> None:
    generators = find_generators(factors, resolution)
    if not generators:
        assert factors < resolution or resolution > 3
        return
    basic = factors - len(generators)
    levels = fraction(basic, generators)
    assert levels.shape == (2**basic, factors)
    assert balanced(levels)
    # Resolution R: no two effects of i and j factors with i + j < R have the same column, nor opposite ones.
    assert resolution_of(basic, generators) >= resolution
    effects = [frozenset(e) for size in range(1, resolution - 1) for e in combinations(range(factors), size)]
    for one, other in combinations(effects, 2):
        if len(one) + len(other) < resolution:
            assert abs(column(levels, one) @ column(levels, other)) < len(levels)


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_aliases_are_the_effects_with_one_column(data: st.DataObject) -> None:
    basic = data.draw(st.integers(2, 4))
    words = st.sets(st.integers(0, basic - 1), min_size=2).map(frozenset)
    generators = data.draw(st.lists(words, min_size=1, max_size=2, unique=True))
    levels = fraction(basic, generators)
    factors = basic + len(generators)
    groups = aliases(factors, defining(basic, generators))
    assert sorted(map(sorted, (e for group in groups for e in group))) == sorted(
        sorted(e) for size in (1, 2) for e in combinations(range(factors), size)
    )
    for group in groups:
        for other in groups:
            same = np.array_equal(column(levels, group[0]), column(levels, other[0]))
            assert same == (group is other)
        assert all(np.array_equal(column(levels, e), column(levels, group[0])) for e in group)


@pytest.mark.parametrize(
    ("factors", "resolution", "runs"),
    [(3, 3, 4), (5, 5, 16), (6, 4, 16), (7, 3, 8), (7, 4, 16), (8, 4, 16), (11, 3, 16)],
)
def test_the_smallest_fractions_are_those_of_box_and_hunter(factors: int, resolution: int, runs: int) -> None:
    generators = find_generators(factors, resolution)
    assert 2 ** (factors - len(generators)) == runs


def test_the_half_fraction_of_five_has_its_known_word() -> None:
    (generator,) = find_generators(5, 5)
    assert generator == {0, 1, 2, 3}
    assert defining(4, [generator]) == [frozenset(range(5))]
    assert resolution_of(5, []) == 0


PUBLISHED = {
    11: "++-+++---+-",
    19: "++--++++-+-+----++-",
    23: "+++++-+-++--++--+-+----",
}
"""Generating rows of Plackett and Burman (1946) for 12, 20 and 24 runs."""


@pytest.mark.parametrize("factors", PUBLISHED)
def test_plackett_burman_has_the_published_rows(factors: int) -> None:
    row = [1 if sign == "+" else -1 for sign in PUBLISHED[factors]]
    levels = plackett_burman(factors)
    assert levels.shape == (factors + 1, factors)
    assert levels[0].tolist() == row
    assert levels[-1].tolist() == [-1] * factors


@pytest.mark.parametrize("factors", range(2, 32))
def test_plackett_burman_is_orthogonal_and_the_smallest(factors: int) -> None:
    levels = plackett_burman(factors)
    assert balanced(levels)
    assert factors < len(levels)
    assert len(levels) <= 4 * (factors // 4 + 1) + 4 * (24 <= factors < 28), (
        "28 runs have no construction here"
    )


def test_partial_aliases_of_twelve_runs_are_thirds() -> None:
    entries = list(partial_aliases(plackett_burman(11)))
    assert {round(abs(coefficient), 6) for _, _, coefficient in entries} == {round(1 / 3, 6)}
    assert len(entries) == 11 * 45, "every main effect with every pair of the ten others"
    levels = plackett_burman(11)
    truth = 0.5 * levels[:, 2] + 2.0 * levels[:, 0] * levels[:, 1]
    (share,) = [c for factor, pair, c in entries if factor == 2 and pair == (0, 1)]
    assert (levels[:, 2] @ truth) / 12 == pytest.approx(0.5 + 2.0 * share)
