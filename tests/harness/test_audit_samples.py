"""Tails and densities of the audit are those of scipy.stats, which it does without."""

import numpy as np
import pytest
from scipy import stats

from harness.audit.prior_density import log_density
from harness.audit.samples import _log_mass, _log_tail, uneven_line


@pytest.mark.parametrize(
    ("pool", "marked", "size"),
    [(1, 1, 1), (9, 4, 9), (50, 0, 8), (50, 50, 8), (400, 30, 30), (3000, 1700, 900)],
)
def test_hypergeometric_masses_are_scipys(pool: int, marked: int, size: int) -> None:
    counts = np.arange(size + 1)
    ours, theirs = _log_mass(counts, pool, marked, size), stats.hypergeom.logpmf(counts, pool, marked, size)
    assert np.exp(ours) == pytest.approx(np.exp(theirs), rel=1e-8, abs=1e-300)
    assert np.exp(ours).sum() == pytest.approx(1.0)


@pytest.mark.parametrize(("pool", "size"), [(50, 8), (400, 30), (20_000, 64)])
def test_tails_are_scipys(pool: int, size: int) -> None:
    ours = [_log_tail(common, pool, size) for common in range(size + 1)]
    theirs = stats.hypergeom.logsf(np.arange(size + 1) - 1, pool, size, size)
    assert ours == pytest.approx(theirs, rel=1e-8, abs=1e-9)


def test_a_sample_of_one_line_is_uneven() -> None:
    every = np.repeat([3, 5], [600, 400])
    fair = every[::10]
    assert uneven_line(every, fair, 1e-9) is None
    assert uneven_line(every, every[:100], 1e-9) == 3
    assert uneven_line(every, every[-100:], 1e-9) == 3


def test_the_log_density_is_scipys() -> None:
    stream = np.random.default_rng(0)
    factor, apart = stream.normal(size=(5, 9)), stream.normal(size=5)
    covariance = factor @ factor.T + 0.1 * np.eye(5)
    theirs = stats.multivariate_normal(np.zeros(5), covariance).logpdf(apart)
    assert log_density(apart, covariance) == pytest.approx(theirs, rel=1e-12)
