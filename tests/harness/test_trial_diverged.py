"""What is not finite, or explodes, anywhere in a trial ends it as diverged with its rows; no mechanism is accused of it."""

from pathlib import Path
from typing import Any

import pytest
import torch

from harness.trial.inspection import Inspection, Moment, Subject
from harness.trial.replicate import Replicate
from harness.trial.step.diverged import Diverged
from tests.harness.conftest import MakeReplicate
from tests.harness.test_trial_replicate import run, table


def spoil(replicate: Replicate, value: float = float("inf")) -> None:
    with torch.no_grad():
        next(replicate.trainer.model.sequence.parameters()).fill_(value)


def diverged(replicate: Replicate, folder: Path, epochs: int, reason: str) -> None:
    """Run to the end and hold it to a divergence after `epochs` whole epochs, whose rows are in the store."""
    run(replicate)
    assert replicate.status == "diverged", replicate.trial["reason"]
    trials = table(folder, "trials")
    assert trials.status.tolist() == ["diverged"]
    assert trials.epochs.tolist() == [epochs]
    assert reason in trials.reason[0]
    assert len(table(folder, "epochs")) == epochs
    assert table(folder, "cells").epoch.nunique() == epochs


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_weights_that_the_audit_meets(value: float, make_replicate: MakeReplicate, tmp_path: Path) -> None:
    replicate = make_replicate({"audit": "strict"})
    spoil(replicate, value)
    diverged(replicate, tmp_path, 0, "epoch 1: ")
    assert replicate.audited == []


def test_scores_of_an_evaluation(
    make_replicate: MakeReplicate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replicate = run(make_replicate({"temperature.mode": "calibrated"}), 1)
    train = replicate._train

    def spoilt(*given: Any) -> Any:
        trained = train(*given)
        spoil(replicate)
        return trained

    monkeypatch.setattr(replicate, "_train", spoilt)
    diverged(replicate, tmp_path, 1, "epoch 2: scores of split")


def test_scores_of_the_final_evaluation(
    make_replicate: MakeReplicate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replicate = make_replicate()
    load = replicate.trainer.load_weights

    def spoilt(state: Any) -> None:
        load(state)
        spoil(replicate)

    monkeypatch.setattr(replicate.trainer, "load_weights", spoilt)
    diverged(replicate, tmp_path, 3, "after epoch 3, in its last evaluation: scores of split")


def test_numbers_of_the_last_audit(make_replicate: MakeReplicate, tmp_path: Path) -> None:
    def inspector(subject: Subject, moment: Moment) -> Inspection:
        if moment == "first":
            return Inspection([], None)
        raise Diverged("logits of the audit's probe are not finite")

    replicate = make_replicate({"audit": "warn"}, inspector=inspector)
    diverged(replicate, tmp_path, 3, "after epoch 3, in its last evaluation: logits of the audit's probe")
    assert "test" in set(table(tmp_path, "cells").split)


def test_linear_algebra_that_fails(
    make_replicate: MakeReplicate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def singular(*given: Any, **named: Any) -> Any:
        return torch.linalg.cholesky(-torch.eye(2))

    replicate = run(make_replicate(), 1)
    monkeypatch.setattr(replicate.trainer, "measure", singular)
    diverged(replicate, tmp_path, 1, "the input is not positive-definite")


def test_an_infinite_logit_of_a_finite_loss(
    make_replicate: MakeReplicate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Infinitely sure and right costs nothing, and is no number all the same."""
    replicate = run(make_replicate({"loss.task": "bce"}), 1)
    measure = replicate.trainer.measure

    def sure(*given: Any, **named: Any) -> Any:
        measured = measure(*given, **named)
        step = measured.step
        infinite = torch.where(step.label > 0.5, torch.inf, -torch.inf)
        return measured._replace(step=type(step)(**{**vars(step), "logit": infinite}))

    monkeypatch.setattr(replicate.trainer, "measure", sure)
    diverged(replicate, tmp_path, 1, "the logit is not finite at step 3")


def test_any_other_error_of_finite_weights_stays_an_error(
    make_replicate: MakeReplicate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*given: Any, **named: Any) -> Any:
        raise RuntimeError("shapes do not broadcast")

    replicate = make_replicate()
    monkeypatch.setattr(replicate.trainer, "measure", wrong)
    with pytest.raises(RuntimeError, match="broadcast"):
        replicate.advance()


def test_learning_rate_of_one_diverges_and_nothing_is_accused(make_replicate: MakeReplicate) -> None:
    replicate = run(make_replicate({"optimiser.lr": 1.0, "optimiser.epochs": 8, "audit": "strict"}))
    assert replicate.status == "diverged", (replicate.status, replicate.trial["reason"])
    assert "rose to" in replicate.trial["reason"]
    assert not {row["verdict"] for row in replicate.audited} & {"inert", "leaking"}
