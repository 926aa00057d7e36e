"""What is scored, counted and stored of a unit that runs: each lie of it is said, whatever moment it is told at."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from analysis.metrics import by_cell
from analysis.unit_log import UnitLog
from harness.audit.finding import FATAL
from harness.audit.unit_inspector import AuditInspector
from harness.trial.checkpoint import Checkpoints
from harness.trial.episodes.sampler import CellBatch
from harness.trial.evaluation import Evaluation
from harness.trial.score.evaluate import CellRows, metric
from harness.trial.score.predict import Predictor
from harness.trial.score.rows import embedding_rows, epoch_row, report_rows, term_rows
from harness.trial.step.trainer import Trainer
from harness.trial.unit_run import UnitRun
from tests.harness.conftest import MakeUnit

Patch = Callable[[pytest.MonkeyPatch], None]
SHORT: dict[str, Any] = {
    "audit": "warn",
    "optimiser.epochs": 2,
    "optimiser.steps_per_epoch": 2,
    "energy.form": "gated",
}
RIVALS = {"loss.competition.weight": 0.2, "loss.competition.scope": "cell", "episode.pseudo_unseen": 0.25}


def told(make_unit: MakeUnit, changes: dict[str, Any] | None = None) -> Iterator[str]:
    """Sentences on a unit of two epochs, without twins, as they are said: who has heard enough asks for no more epochs."""
    unit = make_unit({**SHORT, **(changes or {})}, inspector=AuditInspector, twins=False)
    heard = 0
    while not unit.finished:
        unit.advance()
        rows = unit.audited[heard:]
        heard += len(rows)
        yield from (str(row["reason"]) for row in rows if row["verdict"] in FATAL)


def faults(make_unit: MakeUnit, changes: dict[str, Any] | None = None) -> list[str]:
    """All of them."""
    return list(told(make_unit, changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"environment.teacher.kind": "ema", "environment.scope": "sample"},
        {
            "temperature.mode": "calibrated",
            "evaluation.protocol": "documented",
            "predict.mode": "branch_select",
        },
        {"curriculum.phase1_epochs": 1, "loss.prototypes.weight": 0.1, "model.share_strands": True},
    ],
)
def test_an_intact_unit_is_not_accused(make_unit: MakeUnit, changes: dict[str, Any]) -> None:
    assert faults(make_unit, changes) == []


def stale_reference(patch: pytest.MonkeyPatch) -> None:
    predict, before = Predictor.predict, dict[str, Any]()

    def stale(self: Predictor, model: Any, reference: Any, encoded: Any, **named: Any) -> Any:
        old = before.get(named["split"], reference)
        before[named["split"]] = reference
        return predict(self, model, old if named["draws"] == 1 else reference, encoded, **named)

    patch.setattr(Predictor, "predict", stale)


def mixed_checkpoint(patch: pytest.MonkeyPatch) -> None:
    """The checkpoint that is evaluated has the sequence side of other weights."""
    save = Checkpoints.save

    def saved(self: Checkpoints, name: str, state: dict[str, Any]) -> None:
        if name.startswith("epoch-"):
            state = copy.deepcopy(state)
            for key, value in state["model"].items():
                if key.startswith("sequence.stems"):
                    value.mul_(0.9)
        save(self, name, state)

    patch.setattr(Checkpoints, "save", saved)


def selected_twice(patch: pytest.MonkeyPatch) -> None:
    """The last epoch's rows are made with weights that are not its own."""
    made = Evaluation._of_selection

    def of_selection(self: Evaluation, selection: Any, epoch: int) -> Any:
        if selection == "last":
            for parameter in self.trainer.model.sequence.parameters():
                parameter.data.mul_(0.95)
        return made(self, selection, epoch)

    patch.setattr(Evaluation, "_of_selection", of_selection)


def table(column: str, selection: str, split: str) -> Patch:
    """Another number in one column of `cells`."""
    rows = CellRows.rows

    def changed(self: CellRows, scores: Any, **named: Any) -> Any:
        made = rows(self, scores, **named)
        for row in made:
            if (row["selection"], row["split"]) == (selection, split) and row.get(column) is not None:
                row[column] += 0.01
        return made

    return lambda patch: patch.setattr(CellRows, "rows", changed)


def other_loss(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("harness.trial.records.epoch_row", lambda logs: {**epoch_row(logs), "loss": logs[-1].loss})


def other_share(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        "harness.trial.records.term_rows",
        lambda *of: [{**row, "grad_share": 2 * row["grad_share"]} for row in term_rows(*of)],
    )


def other_lines(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        "harness.trial.records.report_rows",
        lambda trainer, terms, lines: report_rows(trainer, terms, lines[1:] + lines[:1]),
    )


def other_objective(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        "harness.trial.unit_run.metric",
        lambda rows, path, **named: metric(rows, path.replace("_unseen", "_seen"), **named),
    )


def other_draws(patch: pytest.MonkeyPatch) -> None:
    def turned(*of: Any) -> Any:
        made = embedding_rows(*of)
        return [{**row, "draw": (row["draw"] + 1) % 3} for row in made]

    patch.setattr("harness.trial.evaluation.embedding_rows", turned)


def same_draws(patch: pytest.MonkeyPatch) -> None:
    positions = Predictor.support_positions

    def same(self: Predictor, split: str, cell: int, places: np.ndarray, draws: int) -> np.ndarray:
        made = positions(self, split, cell, places, draws)
        made[1:, :-1] = made[:1, :-1]
        return made

    patch.setattr(Predictor, "support_positions", same)


def one_locus(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("harness.trial.evaluation.locus_bins", lambda dataset: np.arange(len(dataset)) // 40)


def as_found(patch: pytest.MonkeyPatch) -> None:
    def documented(self: CellRows, split: Any, name: str) -> Any:
        rows = by_cell(split.logit, split.label, self.cell_names[split.cell], threshold_logit=0.0)
        labels = {"split": "test", "score": name, "prevalence_mode": "as_found", "protocol": "documented"}
        return [{**labels, **row} for row in rows]

    patch.setattr(CellRows, "_documented", documented)


def of_validation(patch: pytest.MonkeyPatch) -> None:
    rows, documented = CellRows.rows, CellRows._documented
    kept: dict[str, Any] = {}

    def keeping(self: CellRows, scores: Any, **named: Any) -> Any:
        kept.update(scores)
        return rows(self, scores, **named)

    patch.setattr(CellRows, "rows", keeping)
    patch.setattr(
        CellRows, "_documented", lambda self, split, name: documented(self, kept["val_unseen"], name)
    )


def first_pairs(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("harness.trial.evaluation._subset", lambda train, most, seed: np.sort(train)[:most])


@pytest.mark.parametrize(
    ("broken", "changes", "sentence"),
    [
        (stale_reference, {}, "weights and states as they are now give"),
        (mixed_checkpoint, {}, "with the weights of epoch"),
        (selected_twice, {}, "with the weights of epoch 2, and was"),
        (table("aupr", "epoch", "val_seen"), {}, "cells, epoch 1, split val_seen"),
        (table("auc", "last", "test"), {}, "cells, last 2, split test"),
        (table("ece", "best_on_validation", "test"), {}, "ece is"),
        (
            table("aupr_support_sd", "last", "val_unseen"),
            {"environment.scope": "sample"},
            "aupr_support_sd is",
        ),
        (one_locus, {}, "auc_design_effect is"),
        (as_found, {"evaluation.protocol": "documented"}, "it is no row of balanced batches of 64"),
        (of_validation, {"evaluation.protocol": "documented"}, "that split has no such cell line"),
        (other_loss, {}, "loss is stored as"),
        (other_share, {}, "grad_share is stored as"),
        (other_lines, RIVALS, "and the term says"),
        (other_objective, {}, "is reported as"),
        (other_draws, {}, "is not that of the scores that were stored"),
        (same_draws, {}, "have more pairs in common than chance"),
        (first_pairs, {}, "not drawn at random of the training pairs"),
    ],
)
def test_a_lie_about_scores_is_said(
    make_unit: MakeUnit,
    monkeypatch: pytest.MonkeyPatch,
    broken: Patch,
    changes: dict[str, Any],
    sentence: str,
) -> None:
    broken(monkeypatch)
    assert any(sentence in text for text in told(make_unit, changes)), sentence


def test_a_checkpoint_that_forgets_is_said(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trainer, "load_state_dict", Trainer.load_weights)
    (text,) = faults(make_unit)
    assert text.startswith("a unit that goes on from its checkpoint has another optimiser")


def test_a_sampler_that_remembers_is_said(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    epoch, calls = CellBatch.epoch, list[int]()

    def moving(self: CellBatch, number: int) -> Any:
        calls.append(number)
        return epoch(self, len(calls))

    monkeypatch.setattr(CellBatch, "epoch", moving)
    assert any("when epoch 2 is drawn again" in text for text in faults(make_unit))


def test_a_unit_that_resumes_otherwise_is_said(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make_unit(SHORT, inspector=AuditInspector, twins=False)
    first.advance()
    load = Trainer.load_state_dict

    def forgets(self: Trainer, state: dict[str, Any]) -> None:
        load(self, state)
        self.reference = self.model.initial_reference()

    monkeypatch.setattr(Trainer, "load_state_dict", forgets)
    again = make_unit(SHORT, inspector=AuditInspector, twins=False)
    monkeypatch.setattr(Trainer, "load_state_dict", load)
    again.advance()
    reasons = [str(row["reason"]) for row in again.audited if row["verdict"] in FATAL]
    assert "the unit goes on with another reference r than it was stored with" in reasons
    assert UnitLog.read(again.record.file).ended


def test_a_unit_killed_before_its_end_is_not_accused(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All its epochs are done, so that it draws no batch any more when it goes on."""
    first = make_unit(SHORT, inspector=AuditInspector, twins=False)
    for _ in range(SHORT["optimiser.epochs"] - 1):
        first.advance()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(UnitRun, "close", killed)
        with pytest.raises(KeyboardInterrupt):
            first.advance()
    again = make_unit(SHORT, inspector=AuditInspector, twins=False)
    again.advance()
    assert [str(row["reason"]) for row in again.audited if row["verdict"] in FATAL] == []
    assert again.status == "done"


@pytest.mark.parametrize("lost", ["continuation", "chance", "contracts", "steps"])
def test_a_check_that_a_state_knows_nothing_of_begins_anew(make_unit: MakeUnit, lost: str) -> None:
    first = make_unit(SHORT, inspector=AuditInspector, twins=False)
    state = AuditInspector(first.subject, False).state()
    del state[lost]
    again = AuditInspector(first.subject, False)
    again.resume(state)
    assert again.state().keys() == {lost, *state}
