"""What is stored at a unit's end against the data and the scores: pairs of a split, and what epochs are selected by."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness.audit.unit_inspector import AuditInspector
from harness.trial.evaluation import Evaluation
from harness.trial.score.rows import prediction_rows
from harness.trial.selection import improves
from models.energy.temperature import fit
from tests.harness.conftest import MakeUnit
from tests.harness.test_ledger import SHORT, said

Rows = list[dict[str, Any]]


def rows(change: Callable[[str, Rows], Rows]) -> Callable[[pytest.MonkeyPatch], None]:
    """Rows of `predictions` that are changed, split by split."""

    def changed(scores: Any, *names: Any) -> Rows:
        return [
            row
            for split, part in scores.items()
            for row in change(split, prediction_rows({split: part}, *names))
        ]

    return lambda patch: patch.setattr("harness.trial.evaluation.prediction_rows", changed)


def numbered(split: str, told: Rows) -> Rows:
    return [{**row, "pair": number} for number, row in enumerate(told)]


def relabelled(split: str, told: Rows) -> Rows:
    return [{**told[0], "label": 1 - told[0]["label"]}, *told[1:]]


def renamed(split: str, told: Rows) -> Rows:
    others = np.roll([row["cell_line"] for row in told], 1)
    return [{**row, "cell_line": str(name)} for row, name in zip(told, others, strict=True)]


def of_potential(patch: pytest.MonkeyPatch) -> None:
    """The rows that an epoch is selected by are those of U_I alone."""
    of_epoch = Evaluation.of_epoch

    def told(self: Evaluation, epoch: int) -> Rows:
        made = of_epoch(self, epoch)
        half = len(made) // 2
        return [
            {**row, "score": other["score"]}
            for row, other in zip(made, made[half:] + made[:half], strict=True)
        ]

    patch.setattr(Evaluation, "of_epoch", told)


def worst(patch: pytest.MonkeyPatch) -> None:
    """An epoch is selected that is no better than the one before."""

    def worse(trial: Any, value: float, epoch: int, phase: Callable[[int], int]) -> bool:
        return epoch == 1 or not improves(trial, value, epoch, phase)

    patch.setattr("harness.trial.unit_run.improves", worse)


def refitted(patch: pytest.MonkeyPatch) -> None:
    """T is fitted on labels that are turned over."""
    patch.setattr("harness.trial.score.scoring.fit", lambda at, labels: fit(at, 1 - labels))


@pytest.mark.parametrize(
    ("patch", "changes", "sentence"),
    [
        (rows(numbered), {}, "the stored pairs are not those of the split"),
        (rows(relabelled), {}, "its label is stored as "),
        (rows(renamed), {}, "its cell_line is stored as "),
        (of_potential, {}, "split train, C1, score corrected, prevalence as_found: threshold is "),
        (worst, {"optimiser.epochs": 4, "optimiser.lr": 0.05}, " was selected with val_unseen/macro/aupr "),
        (refitted, {"temperature.mode": "calibrated"}, "T is fitted to "),
    ],
)
def test_what_is_stored_of_others_is_said(
    patch: Callable[[pytest.MonkeyPatch], None],
    changes: dict[str, Any],
    sentence: str,
    make_unit: MakeUnit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    patch(monkeypatch)
    unit = make_unit({**SHORT, **changes}, inspector=AuditInspector, twins=False)
    while not unit.finished:
        unit.advance()
    assert any(sentence in text for text in said(unit)), said(unit)
