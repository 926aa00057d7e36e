"""Pairs that are ordered once give what each metric gives by itself, to the last bit."""

from functools import partial

import numpy as np
import pytest

from analysis.metrics import best_f1_threshold, by_cell
from analysis.ordered import Ordered, OrderedCells

PREVALENCES = (None, 0.5, 1 / 21)


def sample(levels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits of so many different values, labels and names of cell lines."""
    rng = np.random.default_rng(levels)
    logit = (rng.integers(0, levels, 400) / 7).astype(np.float32)
    return logit, rng.integers(0, 2, 400), rng.choice(["a", "b", "c"], 400)


@pytest.mark.parametrize("levels", [1, 3, 40, 10**6])
def test_pairs_of_one_logit_stay_in_their_order(levels: int) -> None:
    logit, label, _ = sample(levels)
    order = np.argsort(-logit.astype(np.float64), kind="stable")
    last = np.append(np.flatnonzero(np.diff(logit[order])), logit.size - 1)
    for prevalence in PREVALENCES:
        pairs = Ordered(logit, label)
        weights = pairs.weights(prevalence)
        curve = pairs.curve(weights)
        np.testing.assert_array_equal(curve.score, logit[order][last])
        np.testing.assert_array_equal(curve.true, np.cumsum(weights[order] * label[order])[last])
        np.testing.assert_array_equal(curve.false, np.cumsum(weights[order] * (1 - label[order]))[last])


def test_one_order_serves_every_prevalence() -> None:
    parts = sample(60)
    ordered = OrderedCells(*parts)
    for prevalence in PREVALENCES:
        threshold = best_f1_threshold(*parts[:2], prevalence)
        asked = partial(by_cell, *parts, threshold_logit=threshold, prevalence=prevalence, temperature=1.3)
        rows = asked(ordered=ordered)
        assert rows == asked()
        assert ordered.auprs(prevalence) == [row["aupr"] for row in rows]
