"""A unit whose sequence side runs in bfloat16: sound ones are not accused for its rounding, wrong ones still are."""

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
import torch

from analysis.ledger.consistency import WIDE, potential_repeats
from harness.trial.episodes.batches import Encoded, encode_pairs
from harness.trial.score import scoring
from harness.trial.unit_run import UnitRun
from models.environment.cell_environment import CellEnvironment
from models.prism import PrismModel
from tests.analysis.written_ledger import written
from tests.harness.conftest import MakeUnit
from tests.harness.test_ledger import ended, said

CONFIGURED: dict[str, dict[str, Any]] = {
    "linear": {},
    "gated, learned T": {"energy.form": "gated", "temperature.mode": "learned"},
    "cross attention": {"model.encoder": "cross_attention", "energy.form": "interaction"},
}


HALF: dict[str, Any] = {"model.precision": "bf16"}


def rows(unit: UnitRun) -> dict[str, Any]:
    (ledger,) = unit.rows("ledger")
    return ledger


@pytest.mark.parametrize("form", CONFIGURED)
def test_a_sound_unit_passes(make_unit: MakeUnit, form: str) -> None:
    unit = ended(make_unit, {**CONFIGURED[form], **HALF})
    assert said(unit) == []
    ledger = rows(unit)
    assert ledger["recomputed"] == ledger["predictions"]
    assert ledger["largest"] < 1e-5, "the energy itself stays in float32"
    assert 1e-6 < ledger["rounding"] < 0.1


def test_other_precision_passes_by_its_measured_rounding(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores that are a whole rounding away, as no other batch is, are within WIDE of it."""

    def exactly(model: PrismModel, *arguments: Any) -> Encoded:
        model.sequence.halved = False
        encoded = encode_pairs(model, *arguments)
        model.sequence.halved = True
        return encoded

    monkeypatch.setattr(scoring, "encode_pairs", exactly)
    assert said(ended(make_unit, HALF)) == []


@pytest.mark.parametrize("named", ["zeroed R_E", "moved U_I"])
def test_a_wrong_unit_fails(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    unit = make_unit(
        {**HALF, "audit": "warn", "optimiser.epochs": 1, "optimiser.steps_per_epoch": 2}, twins=False
    )
    if named == "zeroed R_E":
        resist = CellEnvironment.resist

        def of(self: CellEnvironment, *arguments: Any) -> Any:
            output = resist(self, *arguments)
            return output if torch.is_grad_enabled() else output._replace(r=torch.zeros_like(output.r))

        monkeypatch.setattr(CellEnvironment, "resist", of)
    else:
        load = type(unit.trainer).load_weights

        def moved(self: Any, state: Any) -> None:
            load(self, state)
            if self is unit.trainer:
                with torch.no_grad():
                    for parameter in self.model.sequence.parameters():
                        parameter.mul_(1.1)

        monkeypatch.setattr(type(unit.trainer), "load_weights", moved)
    while not unit.finished:
        unit.advance()
    text = "r is 0 in every row" if named == "zeroed R_E" else "the weights of the checkpoint's file give"
    assert any(text in sentence for sentence in said(unit)), said(unit)


def test_u_of_one_pair_may_differ_by_its_rounding_alone() -> None:
    unit = written(rounding=0.01)
    rows = pd.concat([unit.predictions, unit.predictions.iloc[:1]], ignore_index=True)
    for apart, wrong in ((0.9 * WIDE * 0.01, False), (1.2 * WIDE * 0.01, True)):
        rows.loc[len(rows) - 1, "u"] = rows["u"].iloc[0] + apart
        for half, seen in ((True, wrong), (False, True)):
            assert bool(list(potential_repeats(replace(unit, predictions=rows, half=half)))) == seen
