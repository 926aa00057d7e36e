"""Main effects and interactions of a factorial against hand computation, and which are shown."""

import pandas as pd
import pytest

from analysis.arms import PlannedArm
from analysis.contrasts import confounded, corrected_families, interactions, level_matrix
from analysis.criteria import CRITERIA
from analysis.factorial_effects import factorial_effects
from harness.design.two_level import plackett_burman

AUPR = CRITERIA["aupr"]
SIGNS = ((-1, -1), (-1, 1), (1, -1), (1, 1))


def arms_of(rows: tuple[tuple[int, ...], ...], names: str) -> dict[str, PlannedArm]:
    return {
        f"c{at}": PlannedArm(str(row), "factorial", levels=dict(zip(names, row, strict=True)))
        for at, row in enumerate(rows)
    }


def units_of(arms: dict[str, PlannedArm], seeds: int) -> pd.DataFrame:
    """0.5 + 0.02 a + 0.01 a b, a seed's level, and noise that differs by run and seed."""
    rows = []
    for number, (config, arm) in enumerate(arms.items()):
        a, b = list(arm.levels.values())[:2]
        for seed in range(seeds):
            noise = 0.001 * ((number * 7 + seed * 3) % 5 - 2)
            value = 0.5 + 0.02 * a + 0.01 * a * b + 0.05 * seed + noise
            rows.append({"config": config, "fold": "f", "seed": seed, "status": "done", "aupr": value})
    return pd.DataFrame(rows)


def test_full_factorial_by_hand() -> None:
    arms = arms_of(SIGNS, "ab")
    units = units_of(arms, 6)
    result = factorial_effects(arms, units, AUPR, 0.005)
    table = units.pivot_table(index="seed", columns="config", values="aupr")
    main_a = (table["c2"] + table["c3"] - table["c0"] - table["c1"]) / 2
    both = (table["c0"] + table["c3"] - table["c1"] - table["c2"]) / 2
    assert [each.name for each in result.main] == ["a", "b"]
    assert result.main[0].effect.interval.mean == pytest.approx(main_a.mean())
    assert result.main[0].effect.interval.sd == pytest.approx(main_a.std(ddof=1))
    assert result.pairs[0].effect.interval.mean == pytest.approx(both.mean())
    assert result.main[0].effect.interval.mean == pytest.approx(0.04, abs=0.002)
    assert (result.main[0].verdict, result.unclear, result.incomplete) == ("better", 0, 0)
    assert result.sums == 0
    assert pd.isna(result.main[0].low)


def test_seed_without_all_runs_is_left_out() -> None:
    arms = arms_of(SIGNS, "ab")
    units = units_of(arms, 6)
    units.loc[0, "status"] = "stopped"
    result = factorial_effects(arms, units, AUPR, 0.005)
    assert (result.incomplete, result.censored, result.seeds) == (1, 1, 5)
    effect = result.main[0]
    assert effect.verdict == "unknown"
    table = units.pivot_table(index="seed", columns="config", values="aupr")
    low, high = table.copy(), table.copy()
    # c0 has a at -: at its highest the effect is at its lowest.
    low.loc[0, "c0"], high.loc[0, "c0"] = 1.0, 0.0
    by_hand = [((each["c2"] + each["c3"] - each["c0"] - each["c1"]) / 2).mean() for each in (low, high)]
    assert (effect.low, effect.high) == pytest.approx(tuple(by_hand))


def test_interactions_are_shown_where_resolution_allows() -> None:
    half = tuple((*row, row[0] * row[1]) for row in SIGNS)
    resolution3 = level_matrix(list(arms_of(half, "abc").values()))
    assert interactions(resolution3) == []
    assert confounded(resolution3) == [0, 1, 2]
    full = level_matrix(list(arms_of(SIGNS, "ab").values()))
    assert [group.pairs for group in interactions(full)] == [((0, 1),)]
    assert confounded(full) == []
    assert corrected_families(arms_of(half, "abc")) == {"main effects": {"- level": ["a", "b", "c"]}}


def test_resolution_four_reports_aliased_sums() -> None:
    basic = [(a, b, c) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)]
    levels = level_matrix(
        list(arms_of(tuple((*row, row[0] * row[1] * row[2]) for row in basic), "abcd").values())
    )
    assert confounded(levels) == []
    assert [group.named("abcd") for group in interactions(levels)] == [
        "a x b + c x d",
        "a x c + b x d",
        "a x d + b x c",
    ]
    opposite = level_matrix(
        list(arms_of(tuple((*row, -row[0] * row[1] * row[2]) for row in basic), "abcd").values())
    )
    assert interactions(opposite)[0].named("abcd") == "a x b - c x d"


def test_aliased_sum_is_the_sum_of_its_interactions() -> None:
    basic = [(a, b, c) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)]
    arms = arms_of(tuple((*row, row[0] * row[1] * row[2]) for row in basic), "abcd")
    rows = []
    for config, arm in arms.items():
        a, b, c, d = arm.levels.values()
        for seed in range(4):
            value = 0.5 + 0.01 * a * b + 0.02 * c * d + 0.001 * ((a + 2 * b + 3 * c + seed) % 3)
            rows.append({"config": config, "fold": "f", "seed": seed, "status": "done", "aupr": value})
    result = factorial_effects(arms, pd.DataFrame(rows), AUPR, 0.005)
    summed = next(each for each in result.pairs if each.name == "a x b + c x d")
    assert summed.effect.interval.mean == pytest.approx(0.06, abs=0.002)
    assert (result.sums, result.unclear) == (3, 0)


def test_plackett_burman_reports_no_interaction() -> None:
    levels = plackett_burman(8)
    arms = arms_of(tuple(tuple(int(level) for level in row) for row in levels), "abcdefgh")
    result = factorial_effects(arms, units_of(arms, 3), AUPR, 0.005)
    assert (result.pairs, result.unclear) == ([], 28)
    assert all(each.mixed for each in result.main)
