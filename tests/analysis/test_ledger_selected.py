"""Which epoch the figures select, and the temperature that validation gives, by other code than what wrote them."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analysis.ledger.figures import FIGURES, Counts, figures_differ
from analysis.ledger.fitted import temperature_is_fitted
from analysis.ledger.selected import (
    best_epoch_is_selected,
    objective_is_of_the_selected_epoch,
    objectives,
)
from analysis.metrics import (
    best_f1_threshold,
    binary_metrics,
    by_cell,
    fit_temperature,
    negative_log_likelihood,
)
from tests.analysis.written_ledger import SETTINGS, written

NAN = math.nan


def sentences(values: dict[int, float], epoch: int, name: str = "aupr", warm: int = 0) -> list[str]:
    settings = {**SETTINGS, "curriculum": {"phase1_epochs": warm}}
    unit = replace(
        written(epoch=epoch), settings=settings, objective=f"val_unseen/macro/{name}", objectives=values
    )
    return list(best_epoch_is_selected(unit))


@pytest.mark.parametrize(
    ("values", "epoch", "options"),
    [
        ({1: 0.5, 2: 0.7, 3: 0.6}, 2, {}),
        ({1: 0.5, 2: 0.7, 3: 0.7}, 2, {}),
        ({1: 0.5, 2: 0.4, 3: 0.6}, 2, {"name": "nll"}),
        ({1: 0.9, 2: 0.4, 3: 0.3}, 2, {"warm": 1}),
        ({1: 0.2, 2: 0.4}, 2, {"warm": 2}),
        ({1: NAN, 2: 0.4, 3: NAN}, 2, {}),
        ({1: NAN, 2: NAN}, 1, {}),
        ({}, 3, {}),
    ],
)
def test_the_best_epoch_is_the_selected_one(
    values: dict[int, float], epoch: int, options: dict[str, Any]
) -> None:
    assert sentences(values, epoch, **options) == []
    for other in values.keys() - {epoch}:
        (sentence,) = sentences(values, other, **options)
        assert sentence.startswith(f"epoch {other} was selected with val_unseen/macro/")
        assert f"and epoch {epoch} has" in sentence


def test_objectives_are_those_of_epochs_alone() -> None:
    row = {
        "selection": "epoch", "split": "val_unseen", "cell_line": "macro", "score": "corrected",
        "prevalence_mode": "as_found", "protocol": "exact", "epoch": 1, "aupr": 0.5,
    }  # fmt: skip
    others = [
        {**row, **other, "aupr": 0.9}
        for other in ({"selection": "last"}, {"score": "u_only"}, {"split": "val_seen"}, {"cell_line": "C"})
    ]
    cells = [row, *others, {**row, "epoch": 2, "aupr": None}]
    made = objectives(cells, "val_unseen/macro/aupr")
    assert made[1] == 0.5
    assert math.isnan(made[2])
    assert len(made) == 2


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_two_searches_find_one_temperature(scale: float) -> None:
    random = np.random.default_rng(2)
    label = (random.random(200) < 0.3).astype(np.int8)
    logit = (scale * (label - 0.4 + random.normal(0, 1.0, 200))).astype(np.float32).astype(np.float64)
    counts = Counts.of(logit, label)
    fitted = counts.temperature()
    assert fitted == pytest.approx(fit_temperature(logit, label), rel=1e-3)
    figures = counts.figures(None, 0.0, fitted)
    assert figures["nll_calibrated"] == pytest.approx(
        negative_log_likelihood(logit, label, temperature=fitted), rel=1e-9
    )
    assert math.isnan(Counts.of(logit, np.zeros(200, np.int8)).temperature())


def test_a_calibrated_temperature_is_the_best_one() -> None:
    # Labels of the unit are independent of its logits: the flattest logits are the most likely ones.
    (sentence,) = temperature_is_fitted(written(temperature_mode="calibrated"))
    assert sentence.startswith("T is fitted to 0.75, which gives val_unseen ")
    best = float(sentence.split("and ")[1].split(" gives")[0])
    assert list(temperature_is_fitted(written(temperature_mode="calibrated", temperature=best))) == []
    assert list(temperature_is_fitted(written(temperature_mode="calibrated", phase=1))) == []
    assert list(temperature_is_fitted(written())) == []


@pytest.mark.parametrize(("reported", "said"), [(0.7, 0), (None, 0), (0.6, 1), (NAN, 1)])
def test_the_reported_objective_is_the_selected_one(reported: float | None, said: int) -> None:
    unit = replace(
        written(epoch=2),
        objective="val_unseen/macro/aupr",
        objectives={1: 0.6, 2: 0.7},
        objective_value=reported,
    )
    assert len(list(objective_is_of_the_selected_epoch(unit))) == said


@pytest.mark.parametrize("prevalence", [None, 0.5, 1 / 21])
@pytest.mark.parametrize("rounded", [0, 3])
def test_figures_are_the_metrics_by_other_code(prevalence: float | None, rounded: int) -> None:
    random = np.random.default_rng(5)
    label = (random.random(200) < 0.3).astype(np.int8)
    logit = np.round(random.normal(0, 2, 200) + label, rounded)
    threshold, temperature = best_f1_threshold(logit, label, prevalence), fit_temperature(logit, label)
    options = {"threshold_logit": threshold, "prevalence": prevalence, "temperature": temperature}
    metrics = binary_metrics(logit, label, **options)
    counts = Counts.of(logit, label)
    assert counts.best_threshold(prevalence) == pytest.approx((metrics["f1_oracle"], threshold))
    made = counts.figures(prevalence, threshold, counts.temperature())
    assert figures_differ(metrics, made) == ""
    for name in set(FIGURES) - {"nll_calibrated"}:
        assert name in figures_differ({**metrics, name: metrics[name] + 0.01}, made)


def test_figures_of_one_class_are_undefined_alike() -> None:
    label, logit = np.zeros(5, dtype=np.int8), np.arange(5.0)
    row = by_cell(logit, label, np.full(5, "A"), threshold_logit=1.0)[0]
    made = Counts.of(logit, label).figures(None, 1.0, NAN)
    assert figures_differ({str(name): value for name, value in row.items()}, made) == ""
