"""Figures of an epoch: rows of `cells` that are not made of the epoch's scores are told."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from analysis.metrics import best_f1_threshold, fit_temperature
from harness.trial import summary, unit_run
from harness.trial.score import evaluate
from tests.harness.conftest import MakeUnit


def test_likelihoods_calibrated_by_another_epoch_are_told(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: dict[bytes, float] = {}

    def cached(logit: ArrayLike, label: ArrayLike) -> float:
        return known.setdefault(np.asarray(label).tobytes(), fit_temperature(logit, label))

    monkeypatch.setattr(evaluate, "fit_temperature", cached)
    reason = ended(make_unit({"audit": "strict", "optimiser.epochs": 2, "optimiser.lr": 0.05}))
    assert "of scores of the audit, cells, epoch 0" in reason
    assert "nll_calibrated is" in reason


def test_a_threshold_of_another_score_is_told(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    best, calls = best_f1_threshold, [0]  # the audit asks twice before the first epoch does

    def first(logit: Any, label: Any, prevalence: float | None = None) -> float:
        calls[0] += 1
        return 50.0 if calls[0] == 4 else best(logit, label, prevalence)

    monkeypatch.setattr(evaluate, "best_f1_threshold", first)
    reason = ended(make_unit({"audit": "strict", "optimiser.epochs": 2}))
    assert "cells, epoch 1, split " in reason
    assert "score corrected, prevalence as_found: f1 is" in reason


def test_a_metric_of_another_score_is_told(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    metric = evaluate.metric
    for module in (summary, unit_run):
        monkeypatch.setattr(module, "metric", lambda rows, path: metric(rows, path, score="u_only"))
    reason = ended(make_unit({"audit": "strict", "optimiser.epochs": 1}))
    assert "of scores of the audit, the objective is reported as" in reason
    assert "of the corrected score is" in reason


def test_a_training_aupr_of_another_split_is_told(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    metric = evaluate.metric
    monkeypatch.setattr(
        unit_run, "metric", lambda rows, path: metric(rows, path.replace("train", "val_seen"))
    )
    reason = ended(make_unit({"audit": "strict", "optimiser.epochs": 1}))
    assert "epoch 1: train_aupr is stored as" in reason


def ended(unit_run: Any) -> str:
    while not unit_run.finished:
        unit_run.advance()
    return str(unit_run.row["reason"])
