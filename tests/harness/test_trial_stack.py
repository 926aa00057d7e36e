"""A stack of replicates takes the steps that its members would take alone, and leaves behind what they would."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from analysis.errors import UserError
from harness.audit.scene import in_double
from harness.trial.step.diverged import Diverged
from harness.trial.step.holdings import holdings
from harness.trial.step.stack import Stack, refuse_unstackable
from harness.trial.step.trainer import StepLog
from harness.trial.taking import StackedUnits
from harness.trial.unit_run import UnitRun
from tests.harness.conftest import MakeUnit

CLOSE = 1e-9
"""Relative norm of what rounding may make of float64 over a few steps."""
ROUNDED = 1e-5
"""The same of values and gradients of one step in float32."""
SEEDS = (0, 1)
CONFIGURED: dict[str, dict[str, Any]] = {
    "cnn": {},
    "cross attention, every side": {
        "model.encoder": "cross_attention",
        "energy.form": "gated",
        "temperature.mode": "learned",
        "environment.scope": "sample",
        "environment.teacher.kind": "ema",
        "episode.pseudo_unseen": 0.3,
        "support.labels": True,
        "loss.prototypes.weight": 0.5,
        "loss.ranking.weight": 0.5,
        "decouple.grl": 0.5,
        "decouple.vib": 0.01,
    },
    "cbat, shared routing, phases": {
        "model.encoder": "cbat",
        "model.share_sides": True,
        "model.share_strands": True,
        "routing": "shared",
        "curriculum.phase1_epochs": 1,
        "decouple.hsic": 0.5,
        "decouple.dual_stream": True,
    },
    "mixtures": {"episode.sampler": "meta_batch", "decouple.club": 0.5},
}
"""Name -> changes of TINY."""


def units(
    make_unit: MakeUnit, changes: dict[str, Any], run: str, *, seeds: Sequence[int] = SEEDS, **options: Any
) -> list[UnitRun]:
    short = {"optimiser.steps_per_epoch": 2, **changes}
    return [make_unit(short, seed=seed, run=run, **options) for seed in seeds]


def exact(unit_runs: list[UnitRun]) -> list[UnitRun]:
    """The units with trainers in float64, in which a stack has to be exact."""
    for unit in unit_runs:
        in_double(unit.trainer)
    return unit_runs


def apart(one: UnitRun, other: UnitRun) -> dict[tuple[str, ...], float]:
    """Of everything that the next step depends on: relative norm of the difference."""
    mine, theirs = holdings(one.trainer), holdings(other.trainer)
    assert mine.keys() == theirs.keys()
    return {
        name: float(
            (value.double() - theirs[name].double()).norm() / theirs[name].double().norm().clamp(min=1e-3)
        )
        for name, value in mine.items()
    }


def steps_of(alone: list[UnitRun], together: list[UnitRun], epochs: int) -> list[tuple[StepLog, StepLog]]:
    """Logs of the same steps, taken alone and as a stack."""
    logs = []
    stack = Stack([unit.trainer for unit in together])
    for epoch in range(epochs):
        for number, batches in enumerate(
            zip(*(unit.sampler.epoch(epoch + 1) for unit in alone), strict=True)
        ):
            progress, probe = epoch + number / alone[0].sampler.steps, number == 1
            taken = stack.step(batches, progress=progress, probe=probe)
            for unit, batch, log in zip(alone, batches, taken, strict=True):
                assert isinstance(log, StepLog)
                logs.append((unit.trainer.step(batch, progress=progress, probe=probe), log))
    stack.leave()
    return logs


@pytest.mark.parametrize("name", CONFIGURED)
def test_a_stack_takes_the_steps_of_its_members(make_unit: MakeUnit, name: str) -> None:
    alone, together = (exact(units(make_unit, CONFIGURED[name], run)) for run in ("alone", "together"))
    logs = steps_of(alone, together, epochs=2)
    for expected, log in logs:
        assert log.grad_norm == pytest.approx(expected.grad_norm, rel=CLOSE)
        for part in ("values", "weights", "state", "dependence"):
            assert getattr(log, part) == pytest.approx(getattr(expected, part), rel=1e-7, abs=1e-9), part
        assert log.shares.keys() == expected.shares.keys()
        for term, figures in expected.shares.items():
            assert log.shares[term] == pytest.approx(figures, rel=1e-6, abs=1e-9, nan_ok=True), term
        assert sorted(map(float, log.norms.values())) == pytest.approx(
            sorted(map(float, expected.norms.values())), rel=1e-6, abs=1e-9
        )
    assert any(log.shares for log, _ in logs)
    for one, other in zip(together, alone, strict=True):
        far = {key: gap for key, gap in apart(one, other).items() if not gap < CLOSE}
        assert not far
    weights = [torch.cat([p.detach().flatten() for p in unit.trainer.parameters]) for unit in together]
    assert not torch.equal(weights[0], weights[1]), "each has its own seed"


def test_a_step_in_float32_is_one_to_its_rounding(make_unit: MakeUnit) -> None:
    changes = {"model.encoder": "cbat", "decouple.hsic": 0.5}
    alone, together = (units(make_unit, changes, run) for run in ("alone", "together"))
    batches = [next(iter(unit.sampler.epoch(1))) for unit in alone]
    logs = Stack([unit.trainer for unit in together]).step(batches, progress=0.0, probe=False)
    for unit, other, batch, log in zip(alone, together, batches, logs, strict=True):
        assert isinstance(log, StepLog)
        assert log.values == pytest.approx(
            unit.trainer.step(batch, progress=0.0, probe=False).values, rel=ROUNDED
        )
        moved = [
            torch.cat([value.flatten() for name, value in holdings(trainer).items() if name[-1] == "exp_avg"])
            for trainer in (other.trainer, unit.trainer)
        ]
        assert float((moved[0] - moved[1]).norm() / moved[1].norm()) < ROUNDED


def test_a_stack_may_be_left_and_made_anew(make_unit: MakeUnit) -> None:
    three = (0, 1, 2)
    scalars = {"energy.form": "gated", "temperature.mode": "learned"}
    alone, together = (exact(units(make_unit, scalars, run, seeds=three)) for run in ("alone", "together"))
    steps_of(alone, together, epochs=1)
    steps_of(alone[1:], together[1:], epochs=1)
    for one, other in zip(together, alone, strict=True):
        batch = next(iter(other.sampler.epoch(3)))
        for unit in (one, other):
            unit.trainer.step(batch, progress=2.0, probe=False)
        assert max(apart(one, other).values()) < CLOSE


def test_one_that_diverges_leaves_the_others_alone(make_unit: MakeUnit) -> None:
    three = (0, 1, 2)
    alone, together = (exact(units(make_unit, {}, run, seeds=three)) for run in ("alone", "together"))
    stack = Stack([unit.trainer for unit in together])
    lost = together[1].trainer
    with torch.no_grad():
        next(lost.model.energy.parameters(), lost.model.sequence.energy.cosine).fill_(torch.nan)
    before = {name: value.clone() for name, value in lost.model.state_dict().items()}
    batches = [next(iter(unit.sampler.epoch(1))) for unit in alone]
    taken = stack.step(batches, progress=0.0, probe=True)
    assert [type(each) for each in taken] == [StepLog, Diverged, StepLog]
    assert all(
        torch.equal(value.nan_to_num(), lost.model.state_dict()[n].nan_to_num())
        for n, value in before.items()
    )
    for k in (0, 2):
        alone[k].trainer.step(batches[k], progress=0.0, probe=True)
        assert max(apart(together[k], alone[k]).values()) < CLOSE


def test_stacked_units_leave_the_rows_of_separate_ones(make_unit: MakeUnit, tmp_path: Path) -> None:
    short: dict[str, Any] = {"optimiser.epochs": 2}
    alone = units(make_unit, short, "alone")
    together = units(make_unit, {**short, "audit": "strict"}, "together", twins=False)
    stacked = StackedUnits()
    for _ in range(2):
        assert [type(told).__name__ for _, told in stacked.advance(together)] == ["EpochSummary"] * len(SEEDS)
    for one, other in zip(together, alone, strict=True):
        while not other.finished:
            other.advance()
        assert (one.status, one.row["reason"]) == ("done", "")
        assert not [row for row in one.audited if row["verdict"] == "broken"]
        for table, column in (("cells", "logit_sd"), ("epochs", "loss"), ("terms", "grad_norm")):
            mine, theirs = ([row[column] for row in unit.rows(table)] for unit in (one, other))
            assert mine == pytest.approx(theirs, rel=1e-3, nan_ok=True), table
        spent = [row["wall_s"] for row in one.rows("epochs")]
        assert 0 < sum(spent) < one.row["wall_s"] * 1.01
    sizes = [
        sum(file.stat().st_size for file in (tmp_path / run).rglob("*.pt")) for run in ("together", "alone")
    ]
    assert sizes[0] < 1.1 * sizes[1], "a checkpoint holds no row of another unit"


def test_stacked_units_resume_as_separate_ones(make_unit: MakeUnit) -> None:
    changes = {"optimiser.epochs": 2}
    together = units(make_unit, changes, "run")
    assert all(not isinstance(told, Exception) for _, told in StackedUnits().advance(together))
    again = units(make_unit, changes, "run")
    for one, other in zip(again, together, strict=True):
        assert (one.epoch, max(apart(one, other).values())) == (1, 0.0)
    again[0].advance()
    assert all(unit.finished for unit, _ in StackedUnits().advance(again[1:]))
    assert all(unit.status == "done" for unit in again)


def test_an_error_in_one_unit_is_told_of_it_alone(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = units(make_unit, {}, "run", seeds=(0, 1, 2))

    def broken(epoch: int) -> Any:
        raise RuntimeError("evaluation broke")

    monkeypatch.setattr(together[1].evaluation, "of_epoch", broken)
    told = dict(StackedUnits().advance(together))
    assert [isinstance(told[unit], RuntimeError) for unit in together] == [False, True, False]
    assert [unit.epoch for unit in together] == [1, 0, 1]


@pytest.mark.parametrize("kind", ["grad_norm", "pcgrad"])
def test_a_balance_of_single_gradients_is_refused_by_name(kind: str) -> None:
    with pytest.raises(UserError, match=rf"balance\.kind: {kind} asks for the gradient of each"):
        refuse_unstackable(kind)
    refuse_unstackable("fixed")
    refuse_unstackable("ramp")


def swapped(patch: pytest.MonkeyPatch) -> None:
    """Each seed gets what the sequence side of the next one says."""
    right = Stack._sides
    patch.setattr(Stack, "_sides", lambda self, batches: reversed(list(right(self, batches))))


def half_a_gradient(patch: pytest.MonkeyPatch) -> None:
    """The first seed's gradient is halved on its way through the stack."""
    right = Stack._gradients

    def halved(self: Stack, *arguments: Any) -> Any:
        gradients = right(self, *arguments)
        for gradient in gradients.values():
            gradient[0] *= 0.5
        return gradients

    patch.setattr(Stack, "_gradients", halved)


@pytest.mark.parametrize(("fault", "check"), [(swapped, "contract"), (half_a_gradient, "real step")])
def test_the_audit_notices_a_wrong_stack(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch, fault: Any, check: str
) -> None:
    fault(monkeypatch)
    together = units(make_unit, {"optimiser.epochs": 1, "audit": "warn"}, "run", twins=False)
    assert all(not isinstance(told, Exception) for _, told in StackedUnits().advance(together))
    assert check in {row["check"] for row in together[0].audited if row["verdict"] == "broken"}
