"""A unit's ledger: what it stores recomputes in every form, and what it would not say of itself is seen as it ends."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from analysis.ledger.run import RunLedger
from analysis.store import Run
from harness.audit.energy_witness import EnergyWitness, unseen_rows
from harness.audit.finding import FATAL
from harness.audit.unit_inspector import AuditInspector
from harness.trial.record import Record
from harness.trial.score.predict import Predictor
from harness.trial.step.trainer import Trainer
from harness.trial.unit_run import UnitRun
from models.energy.dissipation import LinearEnergy
from models.environment.cell_environment import CellEnvironment
from models.prism import PrismModel
from tests.harness.conftest import MakeUnit

SHORT: dict[str, Any] = {"audit": "warn", "optimiser.epochs": 1, "optimiser.steps_per_epoch": 2}
TEACHER = {"environment.teacher.kind": "gradient", "environment.fusion.alpha": 0.3}
INTACT: dict[str, dict[str, Any]] = {
    "linear with a Teacher and one learned T": {**TEACHER, "temperature.mode": "learned"},
    "interaction, calibrated": {"energy.form": "interaction", "temperature.mode": "calibrated"},
    "gated with an EMA Teacher": {"energy.form": "gated", "environment.teacher.kind": "ema"},
    "boosted gate per sample, T per cell line": {
        "energy.form": "boosted_gate",
        "environment.scope": "sample",
        "temperature.mode": "per_cell",
    },
    "threshold gate, a prior extrapolates": {
        "energy.form": "threshold_gate",
        "environment.prior.extrapolate": "posterior",
    },
    "blocking, calibrated": {"energy.form": "blocking", "temperature.mode": "calibrated"},
    "binding at a fixed T, branches chosen": {
        "energy.form": "binding",
        "temperature.value": 1.7,
        "predict.mode": "branch_select",
        "evaluation.protocol": "documented",
    },
    "no environment": {"environment.source": "none", "temperature.value": 0.6},
    "pruned in phase 1": {"energy.form": "gated", "curriculum.phase1_epochs": 1, "optimiser.epochs": 2},
}


def ended(make_unit: MakeUnit, changes: dict[str, Any]) -> UnitRun:
    """A unit that only its ledger looks at, at its end."""
    unit = make_unit({**SHORT, **changes}, inspector=AuditInspector, twins=False)
    unit.advance()
    if not unit.finished:
        unit.close("pruned")
    return unit


def said(unit: UnitRun) -> list[str]:
    faults = (row for row in unit.rows("audit") if row["verdict"] in FATAL)
    return [f"{row['mechanism']} {row['verdict']}: {row['reason']}" for row in faults]


@pytest.mark.parametrize("form", INTACT)
def test_an_intact_unit_recomputes(make_unit: MakeUnit, tmp_path: Path, form: str) -> None:
    unit = ended(make_unit, INTACT[form])
    assert said(unit) == []
    (ledger,) = unit.rows("ledger")
    predictions = pq.read_table(tmp_path / "run" / "predictions")
    assert ledger["recomputed"] == ledger["predictions"] == predictions.num_rows > 150
    splits = Counter(predictions["split"].to_pylist())
    assert set(splits) == {"train", "val_seen", "val_unseen", "test"}
    assert ledger["rescored"] == sum(min(count, 32) for count in splits.values())
    assert ledger["largest"] < 1e-5
    (result,) = RunLedger(Run.open(tmp_path / "run")).verify()
    assert result.verification.faults == ()
    assert result.verification.recomputed == ledger["recomputed"]


def unseen_without_resistance(patch: pytest.MonkeyPatch) -> None:
    """Prediction only: R_E of unseen cell lines is 0 in the energy, and written as it should have been."""
    forward = LinearEnergy.forward

    def of(self: LinearEnergy, u: torch.Tensor, r: torch.Tensor, temperature: torch.Tensor) -> torch.Tensor:
        return forward(self, u, r if torch.is_grad_enabled() or u.shape[1] > 60 else 0 * r, temperature)

    patch.setattr(LinearEnergy, "forward", of)


def nothing_written_and_used(patch: pytest.MonkeyPatch) -> None:
    """R_E is 0 in the energy and in the record, in prediction only: it recomputes."""
    resist = CellEnvironment.resist

    def of(self: CellEnvironment, *arguments: Any) -> Any:
        output = resist(self, *arguments)
        if torch.is_grad_enabled():
            return output
        zero = torch.zeros_like(output.cell)
        return output._replace(r=torch.zeros_like(output.r), raw=zero, cell=zero, student=zero, heard=zero)

    patch.setattr(CellEnvironment, "resist", of)


def one_line_for_all(patch: pytest.MonkeyPatch) -> None:
    """R_E of every cell line is a constant, raw value and all: only its z_E says otherwise."""
    raw_cell = "models.environment.resistance.Resistance.raw_cell"
    patch.setattr(raw_cell, lambda self, z_e: torch.full_like(z_e[..., 0], 0.3) + 0 * z_e.sum(-1))


def other_temperature(patch: pytest.MonkeyPatch) -> None:
    """The test split is scored at another T than the unit's."""
    predict = Predictor.predict

    def of(self: Predictor, *arguments: Any, **options: Any) -> Any:
        if options["split"] == "test":
            options["calibration"] = torch.tensor(2.0)
        return predict(self, *arguments, **options)

    patch.setattr(Predictor, "predict", of)


def other_logits(patch: pytest.MonkeyPatch) -> None:
    """What is stored as the logit is not what the energy gave."""
    score = PrismModel.score

    def of(self: PrismModel, *arguments: Any, **options: Any) -> Any:
        scores = score(self, *arguments, **options)
        return scores if torch.is_grad_enabled() else scores._replace(logit=scores.logit + 0.01)

    patch.setattr(PrismModel, "score", of)


def retold(patch: pytest.MonkeyPatch) -> None:
    """u, r and logit are scaled together after scoring: they recompute, and never passed through the energy."""
    predict = Predictor.predict

    def of(self: Predictor, *arguments: Any, **options: Any) -> Any:
        scores = predict(self, *arguments, **options)
        for part in (scores.u, scores.r, scores.logits):
            part *= np.float32(1.0 if options["split"] != "val_unseen" else 2.0)
        return scores

    patch.setattr(Predictor, "predict", of)


LIES: dict[Callable[[pytest.MonkeyPatch], None], str] = {
    unseen_without_resistance: "energy broken",
    nothing_written_and_used: "r is 0 in every row",
    one_line_for_all: "its z_E gives",
    other_temperature: "T of the unit (fixed) is 1",
    other_logits: "energy broken",
    retold: "these never passed through the energy together",
}


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_a_lie_of_the_running_harness_is_seen(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch, lie: Callable[[pytest.MonkeyPatch], None]
) -> None:
    unit = make_unit({**SHORT, "audit": "warn"}, inspector=AuditInspector, twins=False)
    lie(monkeypatch)
    while not unit.finished:
        unit.advance()
    assert any(LIES[lie] in text for text in said(unit)), said(unit)
    assert unit.status == "done"


def test_under_strict_a_broken_record_stops_the_unit(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_temperature(monkeypatch)
    unit = ended(make_unit, {"audit": "strict"})
    assert unit.status == "stopped"
    assert unit.row["reason"].startswith(
        "audit: prediction is broken (energy): epoch 1, split test, cell line "
    )
    assert len(unit.rows("cells")) > 0


def test_other_weights_than_those_of_the_file_are_seen(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = make_unit(SHORT, inspector=AuditInspector, twins=False)
    load = Trainer.load_weights

    def of(self: Trainer, state: dict[str, Any]) -> None:
        load(self, state)
        if self is unit.trainer:
            with torch.no_grad():
                for parameter in self.model.sequence.parameters():
                    parameter.mul_(1.05)

    monkeypatch.setattr(Trainer, "load_weights", of)
    while not unit.finished:
        unit.advance()
    assert any("the weights of the checkpoint's file give" in text for text in said(unit))


def test_nothing_of_the_unit_changes_by_its_ledger(make_unit: MakeUnit, tmp_path: Path) -> None:
    for folder, mode in (("with", "warn"), ("without", "off")):
        unit = make_unit({**SHORT, "audit": mode}, run=folder, inspector=AuditInspector, twins=False)
        while not unit.finished:
            unit.advance()
    for name in ("cells", "predictions", "embeddings", "terms"):
        one, other = (
            pq.read_table(tmp_path / folder / name).to_pandas().drop(columns="config")
            for folder in ("with", "without")
        )
        pd.testing.assert_frame_equal(one, other, check_exact=True, obj=name)
    (row,) = pq.read_table(tmp_path / "without" / "ledger").to_pylist()
    assert row["recomputed"] is None
    assert row["predictions"] > 0


def test_a_witness_sees_scoring_and_no_copy() -> None:
    energy = LinearEnergy()
    witness = EnergyWitness(energy)
    u, r, t = torch.rand(2, 3), torch.rand(2, 1), torch.ones(2, 1)
    energy(u, r, t)
    with torch.no_grad():
        logit = energy(u, r, t)
        LinearEnergy()(u, r, t)
        energy(u, torch.rand(5, 2, 1), t)  # as a competition asks: at the resistances of 5 others
    rows = witness.take()
    assert rows.shape == (3, 4)
    np.testing.assert_array_equal(rows[:, 3], logit[0].numpy())
    other = rows.copy()
    other[1, 1] = np.nextafter(other[1, 1], np.float32(9))
    assert unseen_rows(other, rows).tolist() == [False, True, False]
    assert len(witness.take()) == 0


def test_a_unit_that_leaves_no_ledger_is_said(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    add = Record.add
    monkeypatch.setattr(
        Record, "add", lambda self, name, rows: None if name == "ledger" else add(self, name, rows)
    )
    unit = ended(make_unit, {})
    said = [row["reason"] for row in unit.audited if row["mechanism"] == "record"]
    assert said == [
        "the last evaluation left 0 rows of the ledger, and one has to say which weights it stored"
    ]
