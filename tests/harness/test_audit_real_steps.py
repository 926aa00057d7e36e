"""Real steps: those of an intact unit are what a plain reference gives, and each way of going wrong is said."""

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from harness.audit.finding import MechanismFinding
from harness.audit.looked_at import is_last, middle_step
from harness.audit.real_steps import RealSteps
from harness.audit.reference_step import Moments, moved, remembered, weights_at
from harness.config.space.compose import compose
from harness.trial.score.rows import term_rows
from harness.trial.step.diverged import Diverged
from harness.trial.step.movement import movements
from harness.trial.step.routing import WeightedTerm
from harness.trial.step.schedule import Schedule
from harness.trial.step.trainer import Trainer
from harness.trial.unit_run import UnitRun
from models.losses import weighted_classes
from tests.harness.conftest import TINY, MakeUnit

SEVERAL: dict[str, Any] = {
    "energy.form": "interaction",
    "temperature.mode": "learned",
    "temperature.penalty": 0.3,
    "loss.contrastive.weight": 0.5,
    "decouple.club": 0.5,
    "decouple.grl": 0.5,
    "curriculum.phase1_epochs": 1,
    "optimiser.weight_decay": 0.1,
}
Break = Callable[[pytest.MonkeyPatch, UnitRun], None]


def steps_of(unit_run: UnitRun) -> RealSteps:
    return RealSteps(unit_run.subject)


def driven(
    unit_run: UnitRun, real: RealSteps | None, epochs: Iterator[int] | range
) -> tuple[list[Any], list[Any]]:
    """Findings at the steps of some epochs, and rows of `terms`."""
    findings, rows = [], []
    for epoch in epochs:
        logs = []
        for position, batch in enumerate(unit_run.sampler.epoch(epoch)):
            progress, last = (
                epoch - 1 + position / unit_run.sampler.steps,
                position == unit_run.sampler.steps - 1,
            )
            findings += real.before(batch, epoch, progress) if real is not None else []
            logs.append(unit_run.trainer.step(batch, progress=progress, probe=last))
            findings += real.after(logs[-1]) if real is not None else []
        rows += [
            {"epoch": epoch, **row} for row in term_rows(logs, dict.fromkeys(unit_run.trainer.terms, ""))
        ]
    return findings, rows


def told(unit_run: UnitRun, epochs: int = 3) -> Iterator[MechanismFinding]:
    """Findings as they are said: who has heard enough asks for no further epoch."""
    real, rows = steps_of(unit_run), list[Any]()
    for epoch in range(1, epochs + 1):
        findings, more = driven(unit_run, real, range(epoch, epoch + 1))
        yield from findings
        rows += more
    yield from real.ended(rows)


def said(unit_run: UnitRun, epochs: int = 3) -> list[MechanismFinding]:
    return list(told(unit_run, epochs))


@pytest.mark.parametrize("kind", ["fixed", "ramp", "grad_norm", "pcgrad"])
def test_intact_steps_are_not_accused_and_stay_the_same(make_unit: MakeUnit, kind: str) -> None:
    changes = {**SEVERAL, "balance.kind": kind, **({"balance.epochs": 1.5} if kind == "ramp" else {})}
    watched, alone = make_unit(changes, run="watched"), make_unit(changes, run="alone")
    state = torch.random.get_rng_state()
    (last,) = said(watched)
    driven(alone, None, range(1, 4))
    assert (last.id, last.mechanism, last.verdict, last.check) == ("-", "optimiser", "active", "")
    assert last.displacement is not None
    assert last.moved is not None
    assert min(last.displacement, last.moved) > 0
    assert last.weight_gap == pytest.approx(0.0, abs=1e-12)
    assert torch.equal(state, torch.random.get_rng_state())
    for name, parameter in watched.trainer.named_parameters().items():
        assert torch.equal(parameter, alone.trainer.named_parameters()[name]), name


def test_a_unit_of_phase_1_alone_is_not_asked_for_more(make_unit: MakeUnit) -> None:
    (last,) = said(make_unit({**SEVERAL, "curriculum.phase1_epochs": 2}), epochs=2)
    assert last.verdict == "active"


def rate_of(group: int, lr: float) -> Break:
    return lambda patch, unit_run: unit_run.trainer.optimiser.param_groups[group].update(lr=lr)


def no_decay(patch: pytest.MonkeyPatch, unit_run: UnitRun) -> None:
    unit_run.trainer.optimiser.param_groups[0]["weight_decay"] = 0.0


def other_optimiser(patch: pytest.MonkeyPatch, unit_run: UnitRun) -> None:
    patch.setattr(unit_run.trainer, "optimiser", torch.optim.SGD(unit_run.trainer.parameters, lr=1e-3))


def descending(change: Callable[[Trainer, Any, Callable[[Trainer, Any], float]], float]) -> Break:
    true = Trainer._descend
    return lambda patch, unit_run: patch.setattr(Trainer, "_descend", lambda self, g: change(self, g, true))


def from_step(index: int, key: str) -> Break:
    """The weight of a term becomes 0."""

    def broken(patch: pytest.MonkeyPatch, unit_run: UnitRun) -> None:
        def lighter(name: str, value: Tensor, weight: float, *rest: Any) -> Any:
            off = name == key and unit_run.trainer.index >= index
            return WeightedTerm(name, value, 0.0 if off else weight, *rest)

        patch.setattr("harness.trial.step.trainer.WeightedTerm", lighter)

    return broken


def silent_from(index: int, key: str) -> Break:
    """The value loses its gradient, while the log keeps the weight."""

    def broken(patch: pytest.MonkeyPatch, unit_run: UnitRun) -> None:
        def cut(name: str, value: Tensor, *rest: Any) -> Any:
            off = name == key and unit_run.trainer.index >= index
            return WeightedTerm(name, value.detach() if off else value, *rest)

        patch.setattr("harness.trial.step.trainer.WeightedTerm", cut)

    return broken


def never_arriving(patch: pytest.MonkeyPatch, unit_run: UnitRun) -> None:
    true = Schedule.factor
    patch.setattr(Schedule, "factor", lambda self, term, progress: true(self, term, min(progress, 1.4)))


def other_clip(patch: pytest.MonkeyPatch, unit_run: UnitRun) -> None:
    patch.setattr(unit_run.trainer, "clip", 0.011)


RAMP = {**SEVERAL, "balance.kind": "ramp", "balance.epochs": 2.0}
PROJECTED = {**SEVERAL, "balance.kind": "pcgrad"}
FAULTS: dict[str, tuple[Break, dict[str, Any], str]] = {
    "rate 0 of one group": (rate_of(1, 0.0), SEVERAL, "never moved"),
    "rate 0 of one group, projected": (rate_of(0, 0.0), PROJECTED, "never moved"),
    "another rate": (rate_of(0, 2e-3), SEVERAL, "as configured moves it by"),
    "no weight decay": (no_decay, SEVERAL, "as configured moves it by"),
    "another optimiser": (other_optimiser, SEVERAL, "the optimiser took 0 steps on it"),
    "sign lost": (descending(lambda s, g, d: d(s, {p: -x for p, x in g.items()})), SEVERAL, "cosine -1"),
    "sign lost, projected": (
        descending(lambda s, g, d: d(s, {p: -x for p, x in g.items()})),
        PROJECTED,
        "does not go along",
    ),
    "half of the steps": (
        descending(lambda s, g, d: d(s, g) if s.index % 2 == 0 else 1.0),
        SEVERAL,
        "took 0 steps on it",
    ),
    "steps lost between": (
        descending(lambda s, g, d: d(s, g) if s.index % 3 != 1 else 1.0),
        SEVERAL,
        "the optimiser: it took 1 steps before step 2",
    ),
    "weight 0 from a step on": (from_step(5, "grl"), SEVERAL, "in force is 0 at step 5"),
    "weight 0, balanced": (
        from_step(5, "grl"),
        {**SEVERAL, "balance.kind": "grad_norm"},
        "in force is 0 at step 5",
    ),
    "silent from an epoch on": (silent_from(6, "club"), SEVERAL, "at step 7"),
    "a ramp that stays": (never_arriving, RAMP, "where configuration and schedule give"),
    "another clip": (other_clip, SEVERAL, "got a gradient of norm 0.000"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_wrong_step_is_said(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    fault, changes, sentence = FAULTS[name]
    unit_run = make_unit(changes)
    fault(monkeypatch, unit_run)
    findings = said(unit_run)
    assert any(sentence in finding.reason for finding in findings), [f.reason for f in findings]
    assert {finding.verdict for finding in findings} == {"broken"}
    assert {finding.check for finding in findings} == {"real step"}
    assert len({(finding.mechanism, finding.reason) for finding in findings}) == len(findings)
    if name.startswith("weight 0"):
        assert ("M33", "grl") in {(finding.id, finding.mechanism) for finding in findings}
        assert findings[-1].weight_gap == 1.0


@pytest.mark.parametrize("place", range(5))
def test_a_fault_at_one_place_of_every_epoch_is_said(
    make_unit: MakeUnit, monkeypatch: Any, place: int
) -> None:
    unit_run = make_unit({**SEVERAL, "optimiser.steps_per_epoch": 5})
    fault = descending(lambda s, g, d: d(s, {p: x / 2 for p, x in g.items()} if s.index % 5 == place else g))
    fault(monkeypatch, unit_run)
    at = [int(re.search(r"at step (\d+)", finding.reason)[1]) for finding in said(unit_run, epochs=5)[:-1]]  # type: ignore[index]
    assert at
    assert {index % 5 for index in at} == {place}


@given(seed=st.integers(0, 2**32), steps=st.integers(0, 40))
def test_every_place_of_an_epoch_has_its_turn(seed: int, steps: int) -> None:
    epochs = range(1, 2 * steps + 8)
    middle = [place for epoch in epochs if (place := middle_step(seed, epoch, steps)) is not None]
    between = range(1, steps - 1)
    assert sorted(middle[: len(between)]) == list(between)
    last = {epoch for epoch in epochs if is_last(epoch, steps - 1, steps)}
    assert {1, 2, 4} <= last
    for epoch in epochs[2:]:
        assert (epoch in last) != (middle_step(seed, epoch, steps) is not None)


def test_parameters_that_come_back_have_never_moved(make_unit: MakeUnit) -> None:
    unit_run = make_unit({**SEVERAL, "curriculum.phase1_epochs": 0})
    real = steps_of(unit_run)
    start = {name: p.detach().clone() for name, p in unit_run.trainer.named_parameters().items()}
    findings, rows = driven(unit_run, real, range(1, 2))
    assert findings == []
    with torch.no_grad():
        for name, parameter in unit_run.trainer.named_parameters().items():
            if name.startswith("terms.grl"):
                parameter.copy_(start[name] * (0.9999 if parameter.ndim >= 2 else 1.0))
    finding, last = real.ended(rows)
    assert (finding.id, finding.mechanism, finding.verdict, finding.moved) == ("M33", "grl", "broken", 0.0)
    assert "its parameters never moved: terms.grl." in finding.reason
    assert (last.verdict, last.check) == ("active", "")
    assert last.reason.endswith("the steps are those of the configuration but for what is said of grl")


def test_a_resumed_unit_says_the_same(make_unit: MakeUnit) -> None:
    whole, first, second = (make_unit(SEVERAL, run=run) for run in ("whole", "first", "second"))
    (expected,) = said(whole)
    early, late = steps_of(first), steps_of(second)
    _, rows = driven(first, early, range(1, 2))
    second.trainer.load_state_dict(first.trainer.state_dict())
    late.resume(json.loads(json.dumps(early.state())))
    findings, more = driven(second, late, range(2, 4))
    assert findings + late.ended(rows + more) == [expected]


def test_what_is_not_finite_diverges(make_unit: MakeUnit) -> None:
    unit_run = make_unit()
    real = steps_of(unit_run)
    batch = next(iter(unit_run.sampler.epoch(1)))
    real.before(batch, 1, 0.0)
    log = unit_run.trainer.step(batch, progress=0.0, probe=False)
    with torch.no_grad():
        next(iter(unit_run.trainer.parameters)).fill_(math.nan)
    with pytest.raises(Diverged, match="is not finite"):
        real.after(log)


def test_a_schedule_at_another_epoch_is_said(make_unit: MakeUnit) -> None:
    unit_run = make_unit()
    batch = next(iter(unit_run.sampler.epoch(1)))
    (finding,) = steps_of(unit_run).before(batch, 1, 0.5)
    assert finding.reason == "step 0 was taken as of epoch 0.5, and it is at 0"


def test_expected_weights_are_those_of_the_schedule() -> None:
    for changes in (SEVERAL, RAMP, {**SEVERAL, "curriculum.ramp_epochs": 1.5}):
        config = compose(TINY, changes).resolved()
        schedule, settings = Schedule(config.curriculum, config.balance), config.model_dump()
        for progress in (0.0, 0.5, 1.0, 1.25, 2.0, 3.0, 9.0):
            expected = {
                cls.key: weight * schedule.factor(cls, progress)
                for cls, weight in weighted_classes(settings).values()
            }
            assert weights_at(settings, progress) == {key: w for key, w in expected.items() if w > 0}


def test_the_reference_update_is_adamw() -> None:
    settings = {"lr": 0.01, "weight_decay": 0.1}
    for shape in ((3, 2), (4,)):
        parameter = nn.Parameter(torch.randn(shape, dtype=torch.float64))
        decay = settings["weight_decay"] if parameter.ndim >= 2 else 0.0
        optimiser = torch.optim.AdamW([parameter], lr=settings["lr"], weight_decay=decay)
        zeros = torch.zeros_like(parameter.data)
        now = Moments(parameter.detach().clone(), zeros, zeros, 0)
        for _ in range(4):
            parameter.grad = torch.randn_like(parameter)
            after = remembered(now, parameter.grad)
            expected = moved(now, after, settings)
            optimiser.step()
            torch.testing.assert_close(parameter.detach(), expected, rtol=1e-9, atol=1e-12)
            now = after._replace(value=expected)


@pytest.mark.parametrize(
    ("start", "end", "moves"),
    [
        ([[1.0, 2.0]], [[0.99, 1.98]], False),
        ([[1.0, 2.0]], [[0.5, 1.0]], True),
        ([[1.0, 2.0]], [[1.1, 2.2]], True),
        ([[1.0, 2.0]], [[1.0, 1.9]], True),
        ([1.0, 2.0], [0.99, 1.98], True),
        ([1.0, 2.0], [1.0, 2.0], False),
        ([[0.0, 0.0]], [[0.0, 0.0]], False),
        ([[0.0, 0.0]], [[0.0, 0.1]], True),
    ],
)
def test_weight_decay_alone_is_no_movement(start: Any, end: Any, moves: bool) -> None:
    optimiser = {"lr": 0.01, "weight_decay": 0.1}
    parts = ({"p": torch.tensor(start)}, {"p": torch.tensor(end)}, ["p"], optimiser, 20)
    assert (movements(*parts)["p"] > 0) == moves
