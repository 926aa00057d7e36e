"""Balances: weights that hold a share and projected gradients are those of their definition, on real steps."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import harness.trial.step.balance as balance
from harness.audit.judge import Judge
from harness.audit.probe import Probe
from harness.mechanisms.catalogue import configured
from harness.trial.step.balance import GradNorm, PcGrad
from harness.trial.step.routing import Gradients, Router, gradient_norm
from models.losses.prototypes import HingedPrototypes
from tests.harness.conftest import MakeUnit
from tests.harness.test_audit_real_steps import SEVERAL, said

Break = Callable[[pytest.MonkeyPatch], None]


def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    held = GradNorm._held

    def turned(self: GradNorm, *parts: Any) -> Any:
        self.momentum = 1 - self.momentum
        after = held(self, *parts)
        self.momentum = 1 - self.momentum
        return after

    monkeypatch.setattr(GradNorm, "_held", turned)


def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def norms(self: Router, term: Any, separate: Any) -> tuple[float, ...]:
        return tuple(gradient_norm(separate[name].values()) for name in (term.name, "task"))

    monkeypatch.setattr(Router, "norms", norms)


def of_agreement(monkeypatch: pytest.MonkeyPatch) -> None:
    """What agrees is taken out, and what conflicts stays."""

    def without(gradients: Gradients, other: Gradients) -> Gradients:
        common = [p for p in gradients if p in other]
        inner: Any = sum((gradients[p] * other[p]).sum() for p in common)
        square: Tensor | int = sum(other[p].square().sum() for p in common)
        if not common or float(inner) <= 0.0:
            return gradients
        return {**gradients, **{p: gradients[p] - inner / square * other[p] for p in common}}

    monkeypatch.setattr(balance, "without_conflict", without)


def of_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """No term but the task gives way."""
    without, first = balance.without_conflict, [True]

    def task_only(gradients: Gradients, other: Gradients) -> Gradients:
        return without(gradients, other) if first[0] else gradients

    combine = PcGrad.combine

    def combined(self: PcGrad, router: Router, terms: Any, *parts: Any) -> Any:
        first[0] = len(terms) < 2
        return combine(self, router, terms, *parts)

    monkeypatch.setattr(balance, "without_conflict", task_only)
    monkeypatch.setattr(PcGrad, "combine", combined)


BROKEN: dict[str, tuple[str, Break, str]] = {
    "momentum": ("grad_norm", hasty, "remembers a gradient norm of"),
    "targets": ("grad_norm", everywhere, "holds its share of the gradient"),
    "agreement": ("pcgrad", of_agreement, "got a gradient of norm"),
    "no projection": ("pcgrad", of_the_task, "got a gradient of norm"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_balance_that_is_not_its_definition_is_told(
    name: str, make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, patch, sentence = BROKEN[name]
    unit_run = make_unit({**SEVERAL, "curriculum.phase1_epochs": 0, "balance.kind": kind})
    patch(monkeypatch)
    assert any(sentence in finding.reason for finding in said(unit_run, epochs=2))


def test_a_satisfied_hinge_is_idle_under_projections(make_unit: MakeUnit) -> None:
    changes = {**SEVERAL, "curriculum.phase1_epochs": 0, "balance.kind": "pcgrad"}
    unit_run = make_unit({**changes, "loss.prototypes.weight": 0.5, "loss.prototypes.radius": 50.0})
    with torch.random.fork_rng(devices=[]):
        judge = Judge(Probe(unit_run.subject), weights=True)
    (row,) = (row for row in configured(unit_run.config.model_dump()) if row.cls is HingedPrototypes)
    assert judge.judge(row).verdict == "idle"
