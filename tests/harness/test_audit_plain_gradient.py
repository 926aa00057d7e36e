"""Plain gradients: a term whose gradient is not that of its plain scalars is told, on twins and on real steps."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.audit.plain_gradient import other_gradient
from models.environment.resistance import beside
from models.episode import Step
from models.losses.distillation import Distillation
from models.losses.prototypes import HingedPrototypes
from models.losses.ranking import PairwiseRanking
from models.losses.task import Immax
from models.losses.term import LossTerm, State, masked_mean
from tests.harness.conftest import MakeUnit
from tests.harness.test_audit_direction import judged
from tests.harness.test_audit_real_steps import said
from tests.models.steps import make_step
from tests.models.test_definitions_table import acting
from tests.models.test_losses_parts import SIDE, VARIANTS

SHARED: dict[str, Any] = {
    "routing": "shared",
    "environment.teacher.kind": "gradient",
    "loss.distillation.weight": 0.5,
}
Returned = tuple[Tensor, State]


def with_gradients(step: Step) -> Step:
    for name in (*SIDE, "r_teacher"):
        getattr(step, name).requires_grad_()
    return step


def unstopped(self: LossTerm, step: Step, state: State) -> Returned:
    error = (beside(step.r_student, step.r_teacher) - step.r_teacher).square()
    return masked_mean(error, step.taught.to(error.dtype)), {}


def of_first_queries(forward: Callable[..., Returned]) -> Callable[..., Returned]:
    """The task loss of an episode's first eight queries."""

    def patched(self: LossTerm, step: Step, state: State) -> Returned:
        return forward(self, SimpleNamespace(logit=step.logit[:, :8], label=step.label[:, :8]), state)

    return patched


@pytest.mark.parametrize(("key", "arguments"), VARIANTS)
def test_no_sound_term_has_another_gradient(key: str, arguments: dict[str, object]) -> None:
    term, state, step = acting(key, **arguments)
    assert other_gradient(term, with_gradients(step), state) == ""


def test_a_target_that_is_not_stopped_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Distillation, "forward", unstopped)
    text = other_gradient(Distillation(), with_gradients(make_step()), {})
    assert text.startswith("its gradient on r_teacher has norm ")
    assert text.endswith("where its equation gives none")


def test_a_pair_that_is_no_pair_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = PairwiseRanking._sample

    def of_all(self: PairwiseRanking, positive: Tensor, step: Step) -> Any:
        return (sample(self, torch.ones_like(positive), step)[0], *sample(self, positive, step)[1:])

    term, step = PairwiseRanking(max_pairs=4), with_gradients(make_step())
    assert other_gradient(term, step, {}) == ""
    monkeypatch.setattr(PairwiseRanking, "_sample", of_all)
    assert "its gradient on logit has norm" in other_gradient(term, step, {})


def test_of_a_term_without_plain_scalars_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Distillation, "forward", unstopped)
    monkeypatch.setattr(Distillation, "parts", LossTerm.parts)
    assert other_gradient(Distillation(), with_gradients(make_step()), {}) == ""


def test_direction_asks_for_stops_under_shared_routing(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit_run = make_unit(SHARED)
    assert judged(unit_run, "distillation")["distillation"].verdict == "active"
    monkeypatch.setattr(Distillation, "forward", unstopped)
    finding = judged(unit_run, "distillation")["distillation"]
    assert (finding.verdict, finding.check) == ("broken", "direction")
    assert "r_teacher" in finding.reason


def test_a_real_step_asks_for_all_queries(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    unit_run = make_unit({})
    monkeypatch.setattr(Immax, "forward", of_first_queries(Immax.forward))
    assert any("its gradient on logit has norm" in finding.reason for finding in said(unit_run, epochs=1))


def test_what_turns_wrong_later_is_told_then(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = HingedPrototypes.forward

    def late(self: HingedPrototypes, step: Step, state: State) -> Returned:
        value, after = forward(self, step, state)
        return (value if step.index < 4 else -value), after

    unit_run = make_unit({"loss.prototypes.weight": 0.5, "loss.prototypes.radius": 0.0})
    monkeypatch.setattr(HingedPrototypes, "forward", late)
    (fault,) = (finding for finding in said(unit_run, epochs=2) if finding.verdict == "broken")
    assert fault.mechanism == "prototypes_hinged"
    assert "at step 4, its gradient on z_e" in fault.reason
    assert torch.is_grad_enabled()
