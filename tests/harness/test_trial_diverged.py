"""What is not finite, or explodes, anywhere in a trial ends it as diverged with its rows; no mechanism is accused of it."""

from pathlib import Path
from typing import Any

import pytest
import torch

from harness.audit.unit_inspector import AuditInspector
from harness.trial.inspection import Inspection
from harness.trial.record import Record
from harness.trial.step.diverged import Diverged
from harness.trial.unit_run import UnitRun
from tests.harness.conftest import MakeUnit
from tests.harness.test_unit_run import run, table


def spoil(unit_run: UnitRun, value: float = float("inf")) -> None:
    with torch.no_grad():
        next(unit_run.trainer.model.sequence.parameters()).fill_(value)


def diverged(unit_run: UnitRun, folder: Path, epochs: int, reason: str) -> None:
    """Run to the end and hold it to a divergence after `epochs` whole epochs, whose rows are in the store."""
    run(unit_run)
    assert unit_run.status == "diverged", unit_run.row["reason"]
    trials = table(folder, "units")
    assert trials.status.tolist() == ["diverged"]
    assert trials.epochs.tolist() == [epochs]
    assert reason in trials.reason[0]
    assert len(table(folder, "epochs")) == epochs
    assert table(folder, "cells").epoch.nunique() == epochs


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_weights_that_the_audit_meets(value: float, make_unit: MakeUnit, tmp_path: Path) -> None:
    unit_run = make_unit({"audit": "strict"})
    spoil(unit_run, value)
    diverged(unit_run, tmp_path, 0, "epoch 1: ")
    assert unit_run.audited == []


def test_scores_of_an_evaluation(
    make_unit: MakeUnit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit_run = run(make_unit({"temperature.mode": "calibrated"}), 1)
    train = unit_run._train

    def spoilt(*given: Any) -> Any:
        trained = yield from train(*given)
        spoil(unit_run)
        return trained

    monkeypatch.setattr(unit_run, "_train", spoilt)
    diverged(unit_run, tmp_path, 1, "epoch 2: scores of split")


def test_scores_of_the_final_evaluation(
    make_unit: MakeUnit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit_run = make_unit()
    load = unit_run.trainer.load_weights

    def spoilt(state: Any) -> None:
        load(state)
        spoil(unit_run)

    monkeypatch.setattr(unit_run.trainer, "load_weights", spoilt)
    diverged(unit_run, tmp_path, 3, "after epoch 3, in its last evaluation: scores of split")


@pytest.mark.parametrize(
    "error",
    [Diverged("logits of the audit's probe are not finite"), ValueError("Input contains NaN.")],
    ids=["noticed", "of a library"],
)
def test_numbers_of_the_last_audit(error: Exception, make_unit: MakeUnit, tmp_path: Path) -> None:
    class Spoilt(AuditInspector):
        def ended(self, record: Record) -> Inspection:
            raise error

    unit_run = make_unit({"audit": "warn"}, inspector=Spoilt, twins=False)
    diverged(unit_run, tmp_path, 3, "after epoch 3, in the audit at its end: ")
    assert str(error) in unit_run.row["reason"]
    assert "test" in set(table(tmp_path, "cells").split)


def test_any_other_error_of_an_audit_stays_an_error(make_unit: MakeUnit) -> None:
    class Wrong(AuditInspector):
        def first(self) -> Inspection:
            raise ValueError("shapes do not broadcast")

    with pytest.raises(ValueError, match="broadcast"):
        make_unit({"audit": "warn"}, inspector=Wrong, twins=False).advance()


def test_linear_algebra_that_fails(
    make_unit: MakeUnit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def singular(*given: Any, **named: Any) -> Any:
        return torch.linalg.cholesky(-torch.eye(2))

    unit_run = run(make_unit(), 1)
    monkeypatch.setattr(unit_run.trainer, "measure", singular)
    diverged(unit_run, tmp_path, 1, "the input is not positive-definite")


def test_an_infinite_logit_of_a_finite_loss(
    make_unit: MakeUnit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Infinitely sure and right costs nothing, and is no number all the same."""
    unit_run = run(make_unit({"loss.task": "bce"}), 1)
    measure = unit_run.trainer.measure

    def sure(*given: Any, **named: Any) -> Any:
        measured = measure(*given, **named)
        step = measured.step
        infinite = torch.where(step.label > 0.5, torch.inf, -torch.inf)
        return measured._replace(step=type(step)(**{**vars(step), "logit": infinite}))

    monkeypatch.setattr(unit_run.trainer, "measure", sure)
    diverged(unit_run, tmp_path, 1, "the logit is not finite at step 3")


def test_any_other_error_of_finite_weights_stays_an_error(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*given: Any, **named: Any) -> Any:
        raise RuntimeError("shapes do not broadcast")

    unit_run = make_unit()
    monkeypatch.setattr(unit_run.trainer, "measure", wrong)
    with pytest.raises(RuntimeError, match="broadcast"):
        unit_run.advance()


def test_learning_rate_of_one_diverges_and_nothing_is_accused(make_unit: MakeUnit) -> None:
    unit_run = run(make_unit({"optimiser.lr": 1.0, "optimiser.epochs": 8, "audit": "strict"}))
    assert unit_run.status == "diverged", (unit_run.status, unit_run.row["reason"])
    assert "rose to" in unit_run.row["reason"]
    assert not {row["verdict"] for row in unit_run.audited} & {"inert", "leaking"}
