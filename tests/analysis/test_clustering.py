"""The design effect of loci: 1 for independent pairs, k for k copies, and the variance of resampled loci in between."""

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from analysis.clustering import design_effect

ONE = np.zeros(2000, dtype=int)


def sample(loci: int, size: int, alike: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, labels and loci of `size` pairs per locus whose label and score share a locus part of this weight."""
    rng = np.random.default_rng(seed)
    locus = np.repeat(np.arange(loci), size)
    shared = rng.normal(size=loci)[locus]
    own = rng.normal(size=locus.size)
    label = (rng.random(loci) < 0.5).astype(int)[locus]
    return math.sqrt(alike) * shared + math.sqrt(1 - alike) * own + 0.4 * label, label, locus


def test_independent_pairs_have_an_effect_of_one() -> None:
    rng = np.random.default_rng(1)
    label = rng.integers(0, 2, 2000)
    score = rng.normal(size=2000) + label
    assert design_effect(score, label, ONE, np.arange(2000)) == pytest.approx(1.0, abs=0.01)
    assert design_effect(score, label, ONE, rng.integers(0, 200, 2000)) == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize("copies", [2, 5])
def test_copies_of_a_pair_are_one_pair(copies: int) -> None:
    score, label, locus = sample(400, 1, 0.0)
    score, label, locus = (np.tile(part, copies) for part in (score, label, locus))
    assert design_effect(score, label, np.zeros(score.size), locus) == pytest.approx(copies, rel=0.02)


def test_effect_is_that_of_samples_of_whole_loci() -> None:
    draws = [sample(60, 20, 0.5, seed) for seed in range(400)]
    truth = np.var([roc_auc_score(label, score) for score, label, _ in draws])
    alone = np.var([roc_auc_score(*sample(1200, 1, 0.5, 1000 + seed)[1::-1]) for seed in range(400)])
    found = np.mean([design_effect(s, y, np.zeros(s.size), locus) for s, y, locus in draws[:50]])
    assert truth / alone > 4
    assert found == pytest.approx(truth / alone, rel=0.25)


def test_loci_are_shared_by_cell_lines() -> None:
    score, label, locus = sample(200, 1, 0.0)
    cells = np.repeat(["a", "b"], 200)
    score, label = np.tile(score, 2), np.tile(label, 2)
    together = design_effect(score, label, cells, np.tile(locus, 2))
    apart = design_effect(score, label, cells, np.arange(400))
    assert together == pytest.approx(2.0, rel=0.02)
    assert apart == pytest.approx(1.0, abs=0.02)


def test_what_has_no_effect_to_measure() -> None:
    label = np.tile([0, 1], 50)
    assert design_effect(np.ones(100), label, np.zeros(100), np.arange(100)) == 1.0
    nothing = [
        (np.arange(100.0), np.ones(100), np.arange(100)),
        (np.arange(100.0), label, np.zeros(100)),
        (np.full(100, np.nan), label, np.arange(100)),
        (np.empty(0), np.empty(0), np.empty(0)),
    ]
    for score, y, locus in nothing:
        assert math.isnan(design_effect(score, y, np.zeros(score.size), locus))
