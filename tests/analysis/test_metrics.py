"""Metrics against hand numbers, scikit-learn, and replication of rows."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn import metrics as sk

from analysis.metrics import (
    METRICS,
    aupr_by_cell,
    best_f1_threshold,
    binary_metrics,
    by_cell,
    fit_temperature,
    negative_log_likelihood,
)


def sample(seed: int, n: int = 200, share: float = 0.4, decimals: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Logits with many ties and labels that depend on them."""
    rng = np.random.default_rng(seed)
    label = (rng.random(n) < share).astype(int)
    return (rng.normal(size=n) + label).round(decimals), label


def test_hand_numbers() -> None:
    # Descending: + - + -, so precision at the hits is 1 and 2/3.
    values = binary_metrics([3.0, 2.0, 1.0, 0.0], [1, 0, 1, 0], threshold_logit=1.5, temperature=2.0)
    assert values["n"] == 4
    assert values["positives"] == 2
    assert values["aupr"] == pytest.approx((1 + 2 / 3) / 2)
    assert values["aupr_lift"] == pytest.approx(1 + 2 / 3)
    assert values["auc"] == pytest.approx(3 / 4)
    assert (values["precision"], values["recall"], values["f1"]) == pytest.approx((0.5, 0.5, 0.5))
    assert values["f1_oracle"] == pytest.approx(0.8)
    assert values["threshold_oracle"] == pytest.approx(expit(0.5))
    by_hand = (
        math.log1p(math.exp(-3)) + math.log1p(math.exp(2)) + math.log1p(math.exp(-1)) + math.log(2)
    ) / 4
    assert values["nll"] == pytest.approx(by_hand)
    halved = np.mean([math.log1p(math.exp(x)) for x in (-1.5, 1.0, -0.5, 0.0)])
    assert values["nll_calibrated"] == pytest.approx(halved)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("decimals", [0, 1])
def test_agrees_with_sklearn(seed: int, decimals: int) -> None:
    logit, label = sample(seed, decimals=decimals)
    values = binary_metrics(logit, label, threshold_logit=np.log(0.55 / 0.45))
    probability = expit(logit)
    called = probability >= 0.55
    assert values["aupr"] == pytest.approx(sk.average_precision_score(label, logit), abs=1e-12)
    assert values["auc"] == pytest.approx(sk.roc_auc_score(label, logit), abs=1e-12)
    assert values["nll"] == pytest.approx(sk.log_loss(label, probability), abs=1e-12)
    assert values["brier"] == pytest.approx(sk.brier_score_loss(label, probability), abs=1e-12)
    assert values["f1"] == pytest.approx(sk.f1_score(label, called), abs=1e-12)
    assert values["precision"] == pytest.approx(sk.precision_score(label, called), abs=1e-12)
    assert values["recall"] == pytest.approx(sk.recall_score(label, called), abs=1e-12)
    assert values["logit_sd"] == pytest.approx(logit.std(), abs=1e-12)
    best = max(sk.f1_score(label, logit >= cut) for cut in np.unique(logit))
    assert values["f1_oracle"] == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize(("positives", "negatives"), [(3, 1), (1, 20), (2, 7)])
def test_reweighting_is_replication_of_rows(positives: int, negatives: int) -> None:
    logit, label = sample(1, n=80)
    logit, label = np.r_[logit, logit], np.r_[label, 1 - label]  # exactly one half positive
    copies = np.where(label == 1, positives, negatives)
    wanted = positives / (positives + negatives)
    replicated = binary_metrics(
        np.repeat(logit, copies), np.repeat(label, copies), threshold_logit=0.4, temperature=1.7
    )
    reweighted = binary_metrics(logit, label, threshold_logit=0.4, temperature=1.7, prevalence=wanted)
    for name in METRICS:
        assert reweighted[name] == pytest.approx(replicated[name], abs=1e-10), name
    assert best_f1_threshold(logit, label, wanted) == pytest.approx(
        best_f1_threshold(np.repeat(logit, copies), np.repeat(label, copies))
    )


def test_threshold_reaches_its_f1_with_ties_and_saturated_logits() -> None:
    for seed in range(20):
        logit, label = sample(seed, n=60, decimals=0)
        for scale, shift in ((0.01, 0.0), (1.0, 0.0), (8.0, 0.0), (1.0, 40.0), (1.0, -800.0)):
            values = binary_metrics(logit * scale + shift, label)
            again = binary_metrics(
                logit * scale + shift, label, threshold_logit=values["threshold_oracle_logit"]
            )
            assert again["f1"] == pytest.approx(values["f1_oracle"])


def test_f1_of_logits_near_40_is_the_oracles() -> None:
    """sigma(l) is 1 in double precision above 37: as probabilities 200 of these 400 pairs would be called alike."""
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1], 200)
    logit = 40.0 + 4.0 * label + rng.normal(size=400)
    chosen = best_f1_threshold(logit, label)
    assert 38.0 < chosen < 46.0
    values = binary_metrics(logit, label, threshold_logit=chosen)
    best = max(sk.f1_score(label, logit >= cut) for cut in np.unique(logit))
    assert best > 0.96
    assert values["f1"] == pytest.approx(best) == values["f1_oracle"]
    assert values["threshold"] == 1.0, "what is reported as a probability is saturated, and decides nothing"
    assert sk.f1_score(label, expit(logit) >= values["threshold"]) == pytest.approx(2 / 3)


def test_threshold_lies_between_neighbouring_floats() -> None:
    low = 40.0
    high = np.nextafter(low, 41.0)
    assert best_f1_threshold([low, high], [0, 1]) == high
    top = np.finfo(np.float64).max
    assert best_f1_threshold([-top, top], [0, 1]) == 0.0
    assert best_f1_threshold([0.9 * top, top], [0, 1]) == pytest.approx(0.95 * top)
    for infinite in (np.inf, -np.inf):
        assert math.isnan(best_f1_threshold([infinite, 0.0, 1.0], [0, 1, 1]))
        values = binary_metrics([0.0, 1.0], [0, 1], threshold_logit=infinite)
        assert values["recall"] == (0.0 if infinite > 0 else 1.0)
        assert values["threshold"] == (1.0 if infinite > 0 else 0.0)


def test_threshold_of_equal_f1_is_the_highest() -> None:
    # Calling {3} gives F1 2/3; calling {3, 2, 1} gives 2*2/(3+2) = 0.8; calling all four 2*2/(4+2).
    assert best_f1_threshold([3.0, 2.0, 1.0, 0.0], [1, 0, 1, 0]) == 0.5
    # One positive on top of a negative: calling one or ... only the top is best.
    assert best_f1_threshold([1.0, 1.0], [1, 0]) == 1.0


def test_ece_by_hand() -> None:
    # Two bins of the 15: 0.1 twice (none positive), 0.9 twice (one positive): (0.1 + 0.4) / 2.
    logit = np.log([0.1 / 0.9, 0.1 / 0.9, 9.0, 9.0])
    assert binary_metrics(logit, [0, 0, 1, 0])["ece"] == pytest.approx(0.25)
    # One positive in either bin: 0.4 too few and 0.4 too many do not cancel.
    assert binary_metrics(logit, [1, 0, 1, 0])["ece"] == pytest.approx(0.4)


def test_one_class_has_no_ranking() -> None:
    values = binary_metrics([1.0, 2.0], [1, 1], threshold_logit=0.0)
    undefined = ("aupr", "auc", "f1", "precision", "recall", "f1_oracle", "threshold_oracle", "aupr_lift")
    for name in (*undefined, "threshold_oracle_logit"):
        assert math.isnan(values[name]), name
    assert values["prevalence"] == 1.0
    assert np.isfinite(values["nll"])
    assert all(math.isnan(binary_metrics([1.0], [0], prevalence=0.5)[name]) for name in METRICS)
    assert math.isnan(best_f1_threshold([1.0, 2.0], [0, 0]))


def test_empty_and_not_finite_are_nan() -> None:
    for logit, label in (([], []), ([float("nan"), 1.0], [0, 1]), ([float("inf"), 1.0], [0, 1])):
        values = binary_metrics(logit, label)
        assert values["n"] == len(label)
        assert all(math.isnan(values[name]) for name in METRICS)
    frame = pd.DataFrame(by_cell([], [], []))
    assert list(frame["cell_line"]) == ["macro", "pooled"]
    assert frame["aupr"].isna().all()


@pytest.mark.parametrize(
    ("logit", "label", "extra"),
    [
        ([1.0, 2.0], [0], {}),
        ([1.0, 2.0], [0, 2], {}),
        ([1.0, 2.0], [0, 1], {"prevalence": 1.0}),
        ([1.0, 2.0], [0, 1], {"temperature": 0.0}),
    ],
)
def test_wrong_input_is_an_error(logit: list[float], label: list[int], extra: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        binary_metrics(logit, label, **extra)


def test_by_cell_macro_and_pooled() -> None:
    logit, label = sample(3, n=300)
    cell = np.repeat(["b", "a", "one_class"], 100)
    label[200:] = 1
    frame = pd.DataFrame(by_cell(logit, label, cell, threshold_logit=0.0)).set_index("cell_line")
    assert list(frame.index) == ["a", "b", "one_class", "macro", "pooled"]
    aupr = frame["aupr"]
    assert aupr["a"] == pytest.approx(sk.average_precision_score(label[100:200], logit[100:200]))
    assert aupr["macro"] == pytest.approx((aupr["a"] + aupr["b"]) / 2)
    assert aupr["pooled"] == pytest.approx(sk.average_precision_score(label, logit))
    assert frame.loc["macro", "n"] == 300


@pytest.mark.parametrize("prevalence", [None, 0.1])
def test_aupr_by_cell_is_that_of_all_metrics(prevalence: float | None) -> None:
    logit, label = sample(3, n=300)
    cell = np.repeat(["b", "a", "one_class"], 100)
    label[200:] = 1
    for rows in (slice(None), slice(200), slice(200, None), slice(0)):
        parts = logit[rows], label[rows], cell[rows]
        whole = [row["aupr"] for row in by_cell(*parts, prevalence=prevalence)]
        np.testing.assert_array_equal(aupr_by_cell(*parts, prevalence=prevalence), whole)


def test_temperature_minimises_the_likelihood() -> None:
    rng = np.random.default_rng(0)
    logit = rng.normal(size=4000) * 2
    label = (rng.random(4000) < expit(logit / 2.5)).astype(int)
    fitted = fit_temperature(logit, label)
    assert fitted == pytest.approx(2.5, rel=0.15)
    best = negative_log_likelihood(logit, label, temperature=fitted)
    for factor in (0.9, 1.1):
        assert negative_log_likelihood(logit, label, temperature=fitted * factor) > best


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(-20, 20), st.booleans()), min_size=2, max_size=40))
def test_increasing_functions_leave_the_ranking_alone(pairs: list[tuple[int, bool]]) -> None:
    logit = np.array([score for score, _ in pairs], dtype=float)
    label = np.array([positive for _, positive in pairs], dtype=int)
    for name in ("aupr", "auc", "f1_oracle"):
        before, after = binary_metrics(logit, label)[name], binary_metrics(3 * logit + 1, label)[name]
        assert before == pytest.approx(after, nan_ok=True)
