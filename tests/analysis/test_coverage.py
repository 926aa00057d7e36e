"""Coverage of the intervals and the error of a family on simulated runs; the corrected t over folds by hand."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from analysis.coverage.measure import Share, family_error, fold_coverage, seed_coverage
from analysis.coverage.worlds import ClusteredPairs, average_precision
from analysis.folds import corrected_interval, evaluated_share
from analysis.intervals import t_interval
from analysis.store import Run
from tests.recorded.copies import write_run

FEW = 200


def within(share: Share, low: float, high: float) -> bool:
    """Whether a share is compatible with [low, high], by two standard errors at their ends."""
    errors = [2 * math.sqrt(each * (1 - each) / FEW) for each in (low, high)]
    return low - errors[0] <= share.share <= high + errors[1]


def test_average_precision_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    scores, labels = random.normal(size=(5, 40)), np.arange(40) % 2
    expected = [average_precision_score(labels, row) for row in scores]
    assert average_precision(scores, labels) == pytest.approx(expected)


def test_seed_intervals_cover_what_they_say() -> None:
    shares = seed_coverage(FEW, seeds=(3, 5, 10))
    assert len(shares) == 6
    assert [share for share in shares if not within(share, 0.93, 0.97)] == []


def test_folds_are_covered_by_the_corrected_t() -> None:
    shares = {(each.what, each.cell): each for each in fold_coverage(FEW, correlations=(0.0, 0.25))}
    assert within(shares["folds, plain t", "6 folds, correlation 0"], 0.93, 0.97)
    assert within(shares["folds, plain t", "6 folds, correlation 0.25"], 0.76, 0.82)
    assert within(shares["folds, corrected t", "6 folds, correlation 0.25"], 0.91, 0.95)


@pytest.mark.parametrize("correlation", [0.1, 0.3])
def test_results_of_folds_have_the_correlation_that_is_asked_for(correlation: float) -> None:
    values = ClusteredPairs().folds(correlation, 4)(np.random.default_rng(3), 2000)
    between = np.corrcoef(values.T)[np.triu_indices(4, 1)]
    assert between.mean() == pytest.approx(correlation, abs=0.03)
    with pytest.raises(ValueError, match="between 0 and 0"):
        ClusteredPairs().folds(0.9, 4)


def test_families_of_arms_that_do_nothing_rarely_have_a_finding() -> None:
    for share in family_error(FEW):
        assert share.share <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / FEW), share


def test_noise_that_loci_share_spreads_the_seeds_more() -> None:
    noise = {"clustered": (1.0, 0.6), "apart": (0.0, (1.0 + 0.6**2) ** 0.5)}
    spread = {}
    for name, (locus, pair) in noise.items():
        draw = ClusteredPairs(lines=2, seed_locus=locus, seed_pair=pair, seed_distance=0.0).seeds(
            np.random.default_rng(1)
        )
        spread[name] = draw(np.random.default_rng(2), 500).std()
    assert spread["clustered"] > 1.2 * spread["apart"]


def test_corrected_interval_by_hand() -> None:
    values = [0.60, 0.64, 0.58, 0.66]
    plain, corrected = t_interval(values), corrected_interval(values, 0.5)
    assert corrected.mean == plain.mean
    ratio = math.sqrt((1 / 4 + 0.5) / (1 / 4))
    assert corrected.high - corrected.low == pytest.approx(ratio * (plain.high - plain.low))
    assert corrected_interval(values, 0.0).low == pytest.approx(plain.low)
    assert math.isnan(corrected_interval([0.6], 0.5).low)
    assert math.isnan(corrected_interval(values, math.nan).low)
    with pytest.raises(ValueError, match="share"):
        corrected_interval(values, -0.1)


def test_share_is_of_cell_lines(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", seeds=(0,))
    fold = {"name": "C1", "test": ["C1"], "val": ["C2"], "chromosomes": ["chr8"]}
    others = {f"f{at}": {**fold, "test": [f"C{at}"], "val": [f"C{at % 6 + 1}"]} for at in range(1, 7)}
    (run / "plan.json").write_text(json.dumps({"folds": others}))
    assert evaluated_share(Run(run)) == pytest.approx(1 / 4)
