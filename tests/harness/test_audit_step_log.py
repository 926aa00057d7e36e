"""Step logs: what a step tells of its terms is what they are, and so is what table `terms` has of an epoch."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from harness.audit.earlier_teacher import strange_targets
from harness.audit.probe import Probe
from harness.audit.twins import Twins
from harness.trial.step.measure import Measure
from harness.trial.step.routing import Router
from harness.trial.step.trainer import StepLog, Trainer
from models.environment.cell_environment import CellEnvironment
from tests.harness.conftest import MakeUnit
from tests.harness.test_audit_real_steps import SEVERAL, said

HIDDEN: dict[str, Any] = {"environment.teacher.kind": "gradient", "episode.pseudo_unseen": 0.4}
Change = Callable[[StepLog], StepLog]


def telling(change: Change) -> Callable[[pytest.MonkeyPatch], None]:
    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        step = Trainer.step
        monkeypatch.setattr(
            Trainer, "step", lambda self, batch, **options: change(step(self, batch, **options))
        )

    return patch


def unweighted(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = Router.shares

    def of_one(self: Router, terms: Any, boundary: Any) -> Any:
        return shares(self, [replace(term, weight=1.0) for term in terms], boundary)

    monkeypatch.setattr(Router, "shares", of_one)


def of_another_query(monkeypatch: pytest.MonkeyPatch) -> None:
    call = Measure.__call__

    def rolled(self: Measure, *parts: Any, **options: Any) -> Any:
        made = call(self, *parts, **options)
        made.step.label.copy_(made.step.label.roll(1, 1))
        return made

    monkeypatch.setattr(Measure, "__call__", rolled)


BROKEN: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str]] = {
    "values": (
        telling(lambda log: replace(log, values=dict.fromkeys(log.values, 0.1))),
        "its value is told as 0.1",
    ),
    "norm": (telling(lambda log: replace(log, grad_norm=2 * log.grad_norm)), "the gradient's norm is told"),
    "state": (
        telling(lambda log: replace(log, state={**log.state, "u_var": 9.0})),
        "u_var is told as 9.0",
    ),
    "shares": (unweighted, "the norm of its gradient is told as"),
    "labels": (of_another_query, "are not those of the query pairs"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_a_step_tells_wrongly_is_said(
    name: str, make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch, sentence = BROKEN[name]
    unit_run = make_unit({**SEVERAL, "curriculum.phase1_epochs": 0})
    patch(monkeypatch)
    assert any(sentence in finding.reason for finding in said(unit_run, epochs=1))


@pytest.mark.parametrize("kind", ["gradient", "ema"])
def test_each_episode_is_taught_by_its_own_teacher(
    kind: str, make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit_run = make_unit({**HIDDEN, "environment.teacher.kind": kind})
    assert strange_targets(Twins(Probe(unit_run.subject))) == []

    def of_now(self: CellEnvironment, named: Any, memory: Any, reference: Any) -> Any:
        values = {name.removeprefix("teacher/"): value for name, value in memory.items()}
        raw = self.branches.teacher_raw(named, values if kind == "ema" else None)
        return self.resistance.of_cell(raw, reference).detach()

    monkeypatch.setattr(CellEnvironment, "earlier_resistance", of_now)
    (finding,) = strange_targets(Twins(Probe(unit_run.subject)))
    assert finding.reason.startswith("in an episode that hides its name, the target R_T ")
