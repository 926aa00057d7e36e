"""Dependence against a permutation null: independent data inside, dependent data outside, whatever the estimator."""

import numpy as np
import pytest

from analysis.independence import ESTIMATORS, measure, other_than


def samples(n: int = 100, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    return draw.normal(size=(n, 3)), draw.normal(size=(n, 2))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_independent_data_lie_inside_the_null_as_often_as_said(estimator: str) -> None:
    p = [measure(*samples(48, seed), estimator=estimator, permutations=99, seed=seed).p for seed in range(60)]
    # Uniform p: of 60, 3 below 0.05 are expected and more than 9 have a chance of 0.1 %; the mean is 0.5 +- 0.037.
    assert sum(value < 0.05 for value in p) <= 9
    assert 0.37 < np.mean(p) < 0.63


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_dependence_without_any_correlation_lies_outside(estimator: str) -> None:
    x, y = samples(160)
    y[:, 0] = x[:, 0] ** 2
    found = measure(x, y, estimator=estimator)
    assert abs(np.corrcoef(x[:, 0], y[:, 0])[0, 1]) < 0.2
    assert found.dependent
    assert found.p == 1 / 200
    assert found.value > found.null_high > found.null_mean > 0


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_copy_is_one_whatever_its_scale_and_shift(estimator: str) -> None:
    x, y = samples()
    assert measure(x, 3 * x - 5, estimator=estimator).value == pytest.approx(1)
    plain, moved = (
        measure(x, side, estimator=estimator, permutations=9) for side in (y, y * [100, 0.01] + 7)
    )
    assert moved.value == pytest.approx(plain.value)
    assert moved.p == plain.p


def test_distance_correlation_by_its_definition() -> None:
    x, y = samples(20)
    x, y = (side / side.std(0) for side in (x, y))
    a, b = (np.linalg.norm(side[:, None] - side, axis=2) for side in (x, y))
    a, b = (m - m.mean(0) - m.mean(1)[:, None] + m.mean() for m in (a, b))
    wanted = (a * b).mean() / np.sqrt((a * a).mean() * (b * b).mean())
    assert measure(x, y, estimator="distance", permutations=1).value == pytest.approx(wanted)


def test_z_e_of_cell_lines_is_told_from_features_that_ignore_it() -> None:
    draw = np.random.default_rng(3)
    cell = np.repeat(np.arange(4), 24)
    z_e, z_i = draw.normal(size=(4, 2))[cell], draw.normal(size=(96, 3))
    assert not measure(z_i, z_e).dependent
    assert measure(z_i + 1.5 * draw.normal(size=(4, 3))[cell], z_e).dependent


def test_nothing_to_measure_is_nan_or_one_mistakes_are_errors() -> None:
    x, y = samples(8)
    for given in ((x[:3], y[:3]), (x[:0], y[:0]), (np.where(x > 1, np.nan, x * np.inf), y)):
        found = measure(*given)
        assert np.isnan(found.value)
        assert np.isnan(found.p)
        assert not found.dependent
    constant = measure(x, np.full((8, 2), 0.1))
    assert (constant.value, constant.p) == (0.0, 1.0)
    assert measure(*samples(40), most=10).n == 10
    with pytest.raises(KeyError, match="hsic, distance"):
        measure(x, y, estimator="pearson")
    with pytest.raises(ValueError, match="same number of rows"):
        measure(x, y[:-1])


def test_what_training_lowers_is_not_what_measures() -> None:
    assert other_than(["hsic", "pearson"]) == "distance"
    assert other_than([]) == other_than(["club"]) == "hsic"
