"""Direction: a step on a term alone moves what it declares the declared way, and what turns it round is said."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.audit.direction import aims_by_group, direction
from harness.audit.finding import FATAL, MechanismFinding, fault
from harness.audit.probe import Probe
from harness.audit.scene import in_double
from harness.audit.twins import Twins
from harness.mechanisms.alone import HIDDEN, HINGE
from harness.mechanisms.catalogue import configured
from harness.trial.step.diverged import Diverged
from harness.trial.step.routing import Router
from harness.trial.unit_run import UnitRun
from models.energy.gates import ThresholdGateEnergy
from models.losses import adversary
from models.losses.adversary import CellLineAdversary
from models.losses.club import Club
from models.losses.competition import Competition
from models.losses.infonce import InfoNce
from models.losses.regularisers import Calibration
from models.losses.task import Immax
from models.losses.term import LossTerm
from models.prism import PrismModel
from tests.definitions_table import DEFINITIONS
from tests.harness.conftest import MakeUnit
from tests.models.rows import build_row

DECOUPLED: dict[str, Any] = {
    "energy.form": "gated",
    "environment.scope": "sample",
    "temperature.mode": "learned",
    "temperature.penalty": 0.1,
    "decouple.reach": "both",
    "loss.calibration.mean": 0.0,
    **{f"decouple.{key}": 0.3 for key in ("orthogonal", "pearson", "infonce", "club", "hsic")},
    **{f"decouple.{key}": 0.3 for key in ("grl", "conditional_grl", "irm", "vib")},
    **{
        f"loss.{key}.weight": 0.3
        for key in ("ranking", "speculation", "calibration", "contrastive", "prototypes")
    },
    **{f"loss.sparsity.{key}": 0.1 for key in ("z_i", "z_e", "r", "groups")},
}
COMPETING = {**HIDDEN, "loss.competition.weight": 0.3, "energy.form": "threshold_gate", "loss.task": "bce"}


def judged(unit_run: UnitRun, *only: str) -> dict[str, MechanismFinding]:
    rows = [row for row in configured(unit_run.config.model_dump()) if not only or row.key in only]
    with torch.random.fork_rng(devices=[]):
        twins = Twins(Probe(unit_run.subject))
        findings = [direction(twins, row, row.cls) for row in rows]
    return {finding.mechanism: finding for finding in findings if finding is not None}


@pytest.mark.parametrize(
    "changes",
    [DECOUPLED, {**DECOUPLED, "routing": "shared"}, COMPETING],
    ids=["decoupled", "shared", "competing"],
)
def test_no_intact_direction_is_accused(make_unit: MakeUnit, changes: dict[str, Any]) -> None:
    unit_run = make_unit(changes)
    before = {name: p.clone() for name, p in unit_run.trainer.named_parameters().items()}
    state = torch.random.get_rng_state()
    found = judged(unit_run)
    assert {name: f.reason for name, f in found.items() if f.verdict in FATAL} == {}
    assert len(found) == len(unit_run.trainer.weighted)
    gaps = [f.direction_gap for f in found.values() if f.verdict == "active"]
    assert len(gaps) >= len(found) - 1, "at most one hinge is satisfied"
    assert max(gap for gap in gaps if gap is not None) < 1e-4
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(p, before[name]) for name, p in unit_run.trainer.named_parameters().items())


@contextmanager
def patched(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, value: Any) -> Iterator[None]:
    with monkeypatch.context() as context:
        context.setattr(owner, name, value)
        yield


def negated(cls: Any) -> Callable[..., Any]:
    """`forward` with a missing minus."""
    forward = cls.forward

    def wrong(self: LossTerm, *arguments: Any) -> Any:
        value, state = forward(self, *arguments)
        return -value, state

    return wrong


def turned(cls: Any) -> Callable[..., Any]:
    """`forward` with its value and the gradient turned round."""
    forward = cls.forward

    def wrong(self: LossTerm, *arguments: Any) -> Any:
        value, state = forward(self, *arguments)
        return 2 * value.detach() - value, state

    return wrong


def flipped_routes(self: Router, *arguments: Any) -> Any:
    return {parameter: -gradient for parameter, gradient in ROUTED(self, *arguments).items()}


def maximised(self: Club, x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    return -CLUB(self, x, y, weight)


def repelled(self: Competition, *arguments: Any) -> Tensor:
    return -ALIGNED(self, *arguments)


def plain_score(self: PrismModel, u: Tensor, *arguments: Any, **named: Any) -> Any:
    """U_I with its gradient turned round on the way into the energy."""
    return SCORE(self, 2 * u.detach() - u, *arguments, **named)


ROUTED, CLUB, ALIGNED, SCORE = (
    Router.gradients,
    Club.dependence,
    Competition._alignment,
    PrismModel.score,
)
FAULTS: list[tuple[str, Any, str, Any, dict[str, Any], str, str]] = [
    (
        "reversal left out",
        adversary,
        "reverse_gradient",
        lambda x: x,
        {"decouple.grl": 0.3},
        "grl",
        "lowers the cross entropy",
    ),
    (
        "adversary negated",
        CellLineAdversary,
        "forward",
        negated(CellLineAdversary),
        {"decouple.conditional_grl": 0.3},
        "conditional_grl",
        "cross",
    ),
    (
        "estimate maximised",
        InfoNce,
        "forward",
        negated(InfoNce),
        {"decouple.infonce": 0.3},
        "infonce",
        "the estimate",
    ),
    ("bound maximised", Club, "dependence", maximised, {"decouple.club": 0.3}, "club", "raises the bound"),
    (
        "hinge turned",
        Calibration,
        "forward",
        turned(Calibration),
        HINGE,
        "calibration",
        "raises the excess",
    ),
    ("task negated", Immax, "forward", negated(Immax), {}, "immax", "raises the task loss"),
    (
        "U_I turned",
        PrismModel,
        "score",
        plain_score,
        {},
        "immax",
        "its step on the sequence side (S) raises the task loss",
    ),
    ("push turned", Competition, "_alignment", repelled, COMPETING, "competition", "raises the a^2"),
    (
        "routes negated",
        Router,
        "gradients",
        flipped_routes,
        {"decouple.pearson": 0.3},
        "pearson",
        "raises the dependence",
    ),
    ("straight-through turned", ThresholdGateEnergy, "gate", None, COMPETING, "bce", "raises the task loss"),
]


@pytest.mark.parametrize("case", FAULTS, ids=[case[0] for case in FAULTS])
def test_a_turned_direction_is_broken(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch, case: tuple[Any, ...]
) -> None:
    name, owner, attribute, value, changes, mechanism, sentence = case
    if name == "straight-through turned":
        gate = ThresholdGateEnergy.gate

        def value(self: ThresholdGateEnergy, r: Tensor) -> Tensor:
            return gate(self, 2 * r.detach() - r)

    with patched(monkeypatch, owner, attribute, value):
        finding = judged(make_unit(changes), mechanism)[mechanism]
    assert (finding.verdict, finding.check) == ("broken", "direction")
    assert sentence in finding.reason
    assert "where it declares to" in finding.reason
    assert finding.direction_gap is not None
    assert finding.direction_gap > 0.01
    assert fault([finding]) == f"audit: {finding.id} {mechanism} is broken (direction): {finding.reason}"


def test_a_gradient_of_another_size_is_broken(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = Calibration.forward

    def larger(self: Calibration, *arguments: Any) -> Any:
        value, state = forward(self, *arguments)
        return 1.5 * value, state

    with patched(monkeypatch, Calibration, "forward", larger):
        finding = judged(make_unit(HINGE))["calibration"]
    assert finding.verdict == "broken"
    assert "0.666667 times as far as its gradient says" in finding.reason


@pytest.mark.parametrize("opposite", [1.0, 1.5], ids=["alone", "with an opposite fault"])
def test_one_group_among_several_is_told(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch, opposite: float
) -> None:
    """The task moves S, E, T and G the same way; twice the gradient on E halves a share that 2/3 of it on G would add."""
    factors = {"E": 2.0, "G": 1 / opposite}

    def scaled(self: Router, *arguments: Any) -> Any:
        of = {parameter: group for group, members in self.groups.items() for parameter in members}
        routed = ROUTED(self, *arguments)
        return {p: factors.get(of.get(p, "A"), 1.0) * gradient for p, gradient in routed.items()}

    changes = {"temperature.mode": "learned", "temperature.penalty": 0.1}
    with patched(monkeypatch, Router, "gradients", scaled):
        finding = judged(make_unit(changes), "immax")["immax"]
    assert finding.verdict == "broken"
    assert "on the environment side (E) moves the task loss 0.5 times as far" in finding.reason
    assert judged(make_unit(changes), "immax")["immax"].verdict == "active"


def test_a_satisfied_hinge_is_idle(make_unit: MakeUnit) -> None:
    wide = {
        "loss.calibration.mean": 1e6,
        "loss.calibration.variance_low": 0.0,
        "loss.calibration.variance_high": 1e6,
    }
    found = judged(make_unit({"loss.calibration.weight": 0.3, **wide}))
    assert found["calibration"].verdict == "idle"
    assert found["calibration"].direction_gap is None


def test_numbers_that_are_not_finite_diverge(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    unit_run = make_unit()
    twins = Twins(Probe(unit_run.subject))
    (row,) = (row for row in configured(unit_run.config.model_dump()) if row.cls is Immax)
    lost = lambda self, step, state: {"value": step.logit.sum() * float("nan")}  # noqa: E731
    with patched(monkeypatch, Immax, "parts", lost), pytest.raises(Diverged, match="task or its gradient"):
        direction(twins, row, row.cls)


def test_a_clone_in_double_computes_the_same_step(make_unit: MakeUnit) -> None:
    unit_run = make_unit(DECOUPLED)
    probe = Probe(unit_run.subject)
    single, double = probe.clone(), in_double(probe.clone())
    one, other = (trainer.measure(probe.batch, warm=False).step for trainer in (single, double))
    assert other.logit.dtype == torch.float64
    torch.testing.assert_close(one.logit.double(), other.logit, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("key", DEFINITIONS)
def test_the_aims_of_a_term_are_those_of_the_definitions(key: str) -> None:
    declared = {
        (letter, aim.what, "down" if aim.sign > 0 else "up")
        for letter, aims in aims_by_group(build_row(key)).items()
        for aim in aims
    }
    expected = {(letter, what, way) for groups, what, way in DEFINITIONS[key].objectives for letter in groups}
    assert declared == expected
