"""What each mechanism did in the real run: all that acts is said to, and what never did raises never_acted."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.trial.unit_run import UnitRun
from models.energy.gates import SlopedGate
from models.environment.placement import Placement
from models.environment.teacher import EmaTeacher, GradientTeacher
from models.losses.contrastive import Contrastive
from tests.harness.conftest import MakeUnit

RICH: dict[str, Any] = {
    "energy.form": "gated",
    "temperature.mode": "learned",
    "environment.teacher.kind": "gradient",
    "environment.graph.kind": "gcn",
    "environment.graph.map": "attention",
    "loss.distillation.weight": 0.5,
    "loss.contrastive.weight": 0.3,
    "decouple.club": 0.1,
    "decouple.grl": 0.1,
    "episode.pseudo_unseen": 0.4,
    "curriculum.phase1_epochs": 1,
    "curriculum.ramp_epochs": 1.0,
    "balance.kind": "grad_norm",
    "optimiser.epochs": 3,
}
PARTS = {
    "M01 stem parameters", "M02 self_attention parameters", "M05 fourier_kan parameters", "M06 cnn parameters",
    "M12 gated parameters", "M12 gated gate", "M15 learned parameters", "M16 scope_cell parameters",
    "M22 moments parameters", "M23 gradient parameters", "M24 gcn parameters", "M25 graph_map parameters",
    "M29 pseudo_unseen names", "M30 immax state", "M33 club parameters", "M33 club state", "M33 grl parameters",
    "M35 contrastive state", "M42 grad_norm weights", "M43 curriculum phase", "M43 curriculum_ramp ramp",
}  # fmt: skip


def ended(make_unit: MakeUnit, changes: dict[str, Any]) -> UnitRun:
    unit = make_unit(changes)
    while not unit.finished:
        unit.advance()
    return unit


def silent(unit: UnitRun) -> list[str]:
    return [finding.evidence for finding in unit.findings() if finding.rule == "never_acted"]


def named(row: dict[str, Any]) -> str:
    return f"{row['id']} {row['mechanism']} {row['part']}"


def test_every_part_of_an_intact_unit_acts(make_unit: MakeUnit) -> None:
    unit = ended(make_unit, RICH)
    rows = unit.rows("mechanisms")
    assert {named(row) for row in rows} == PARTS
    assert silent(unit) == []
    last = {named(row): row for row in rows if row["epoch"] == 3}
    told = {name: [row[key] for key in ("gradient", "moved", "amount")] for name, row in last.items()}
    assert all(any(figures) for figures in told.values()), told
    warm = {named(row): row["in_force"] for row in rows if row["epoch"] == 1}
    assert warm["M12 gated gate"] == warm["M24 gcn parameters"] == warm["M35 contrastive state"] == 0.0
    assert warm["M01 stem parameters"] == 1.0
    square = sum(row["gradient"] ** 2 for row in rows if row["epoch"] == 3 and row["gradient"] is not None)
    assert square**0.5 >= unit.rows("epochs")[2]["grad_norm"] * (1 - 1e-6), (
        "parts sum up to the whole gradient"
    )


def test_an_unused_graph_is_named(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    placed, answer = Placement.forward, GradientTeacher.forward
    monkeypatch.setattr(Placement, "forward", lambda self, z, nodes: placed(self, z, nodes.detach()))
    monkeypatch.setattr(GradientTeacher, "forward", lambda self, cell, nodes: answer(self, cell, None))
    (text,) = silent(ended(make_unit, RICH))
    assert "1 of " in text
    assert text.endswith(
        "parts of mechanisms never acted; value and gradient 0 in every epoch in force: M24 gcn parameters"
    )


def stuck_gate(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SlopedGate, "gate", lambda self, r: torch.ones_like(r))


def still_teacher(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(EmaTeacher, "remember", lambda self, memory, student: dict(memory))


def empty_bank(patch: pytest.MonkeyPatch) -> None:
    forward = Contrastive.forward

    def of(self: Contrastive, step: Any, state: Any) -> tuple[Tensor, Any]:
        return forward(self, step, state)[0], state

    patch.setattr(Contrastive, "forward", of)


def no_hidden_names(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("harness.trial.step.draws.TrainingDraws.hidden", lambda self, cell, index: cell < 0)


SILENCED: dict[Callable[[pytest.MonkeyPatch], None], tuple[str, dict[str, Any]]] = {
    stuck_gate: ("M12 gated gate", {"energy.form": "gated"}),
    still_teacher: ("M23 ema state", {"environment.teacher.kind": "ema", "loss.distillation.weight": 0.5}),
    empty_bank: ("M35 contrastive state", {"loss.contrastive.weight": 0.3}),
    no_hidden_names: (
        "M29 pseudo_unseen names",
        {"environment.teacher.kind": "gradient", "episode.pseudo_unseen": 0.8},
    ),
}


@pytest.mark.parametrize("silence", SILENCED, ids=lambda silence: silence.__name__)
def test_a_silent_part_of_a_real_run_is_named(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch, silence: Callable[[pytest.MonkeyPatch], None]
) -> None:
    name, changes = SILENCED[silence]
    assert silent(ended(make_unit, {**changes, "optimiser.epochs": 2})) == []
    silence(monkeypatch)
    (text,) = silent(ended(make_unit, {**changes, "optimiser.epochs": 2, "optimiser.lr": 0.002}))
    assert name in text


def test_a_resumed_unit_tells_the_same(make_unit: MakeUnit) -> None:
    whole = ended(make_unit, {**RICH, "balance.kind": "fixed"})
    make_unit({**RICH, "balance.kind": "fixed"}, run="other").advance()
    again = make_unit({**RICH, "balance.kind": "fixed"}, run="other")
    while not again.finished:
        again.advance()
    assert again.rows("mechanisms") == whole.rows("mechanisms")
