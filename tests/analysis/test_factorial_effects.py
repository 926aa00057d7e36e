"""Main effects and interactions of a factorial against hand computation, and which are shown."""

import pandas as pd
import pytest

from analysis.arms import PlannedArm
from analysis.contrasts import clear_pairs, confounded, corrected_families, level_matrix
from analysis.criteria import CRITERIA
from analysis.factorial_effects import factorial_effects

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


def test_seed_without_all_runs_is_left_out() -> None:
    arms = arms_of(SIGNS, "ab")
    units = units_of(arms, 6)
    units.loc[0, "status"] = "stopped"
    result = factorial_effects(arms, units, AUPR, 0.005)
    assert (result.incomplete, result.seeds) == (1, 5)


def test_interactions_are_shown_where_resolution_allows() -> None:
    half = tuple((*row, row[0] * row[1]) for row in SIGNS)
    resolution3 = level_matrix(list(arms_of(half, "abc").values()))
    assert clear_pairs(resolution3) == []
    assert confounded(resolution3) == [0, 1, 2]
    full = level_matrix(list(arms_of(SIGNS, "ab").values()))
    assert clear_pairs(full) == [(0, 1)]
    assert confounded(full) == []
    assert corrected_families(arms_of(half, "abc")) == {"main effects": {"- level": ["a", "b", "c"]}}
