"""On a GPU a unit computes what it computes on a CPU; nothing here runs where there is none."""

from typing import Any

import numpy as np
import pytest
import torch

from harness.audit.finding import FATAL
from harness.audit.scene import in_double
from harness.trial.device import exact_float32
from harness.trial.step.holdings import holdings
from harness.trial.step.stack import Stack
from harness.trial.taking import StackedUnits
from harness.trial.unit_run import UnitRun
from tests.harness.conftest import MakeUnit

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")

SURE: dict[str, Any] = {"model.dropout": 0.0}
"""Dropout is drawn on the device, by other numbers on each."""
ENCODERS = ("cnn", "cross_attention", "cbat")
CLOSE = 1e-7
"""Relative norm of what other kernels may make of float64 over a few steps."""
ROUNDED = 1e-4
"""Of values and gradients of float32."""
HEAVY: dict[str, Any] = {
    "energy.form": "gated",
    "temperature.mode": "learned",
    "environment.scope": "sample",
    "environment.teacher.kind": "ema",
    "loss.prototypes.weight": 0.5,
    "decouple.grl": 0.5,
    "decouple.hsic": 0.5,
}


@pytest.fixture(autouse=True)
def full_float32() -> None:
    exact_float32()


def both(make_unit: MakeUnit, changes: dict[str, Any]) -> tuple[UnitRun, UnitRun]:
    """The same unit on a GPU and on the CPU."""
    gpu, cpu = (make_unit(changes, run=device, device=device) for device in ("cuda", "cpu"))
    return gpu, cpu


def far(one: UnitRun, other: UnitRun) -> dict[tuple[str, ...], float]:
    """What the next step depends on and is not the same."""
    mine, theirs = (
        {name: value.cpu().double() for name, value in holdings(unit.trainer).items()}
        for unit in (one, other)
    )
    gaps = {
        name: float((value - theirs[name]).norm() / theirs[name].norm().clamp(min=1e-2))
        for name, value in mine.items()
    }
    return {name: gap for name, gap in gaps.items() if not gap < CLOSE}


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("changes", [{}, HEAVY], ids=["plain", "heavy"])
def test_steps_are_those_of_a_cpu(make_unit: MakeUnit, encoder: str, changes: dict[str, Any]) -> None:
    gpu, cpu = both(make_unit, {**SURE, **changes, "model.encoder": encoder})
    for unit in (gpu, cpu):
        in_double(unit.trainer)
    for number, batch in enumerate(cpu.sampler.epoch(1)):
        logs = [unit.trainer.step(batch, progress=0.0, probe=number == 1) for unit in (gpu, cpu)]
        assert logs[0].values == pytest.approx(logs[1].values, rel=1e-5, abs=1e-8)
    assert not far(gpu, cpu)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_scores_in_float32_are_those_of_a_cpu(make_unit: MakeUnit, encoder: str) -> None:
    gpu, cpu = both(make_unit, {**SURE, **HEAVY, "model.encoder": encoder})
    batch = next(iter(cpu.sampler.epoch(1)))
    measured = [unit.trainer.measure(batch, warm=False).step for unit in (gpu, cpu)]
    for part in ("u", "z_i", "z_e", "r", "logit", "temperature"):
        torch.testing.assert_close(
            getattr(measured[0], part).cpu(), getattr(measured[1], part), rtol=ROUNDED, atol=1e-5
        )
    rows = [unit.evaluation.of_epoch(1) for unit in (gpu, cpu)]
    for mine, theirs in zip(*rows, strict=True):
        for column in ("nll", "aupr", "logit_sd"):
            assert mine[column] == pytest.approx(theirs[column], rel=1e-3, nan_ok=True), column


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_an_audited_unit_runs_to_its_end(make_unit: MakeUnit, encoder: str, precision: str) -> None:
    changes = {**HEAVY, "model.encoder": encoder, "model.precision": precision, "audit": "strict"}
    unit = make_unit(changes, device="cuda")
    while not unit.finished:
        unit.advance()
    said = [row["reason"] for row in unit.audited if row["verdict"] in FATAL]
    assert said == []
    assert unit.status == "done"
    (ledger,) = unit.rows("ledger")
    assert ledger["recomputed"] == ledger["predictions"]
    assert ledger["largest"] < 1e-5


def test_bf16_scores_are_near_those_of_float32(make_unit: MakeUnit) -> None:
    exact, half = (
        make_unit({**SURE, "model.encoder": "cbat", "model.precision": name}, run=name, device="cuda")
        for name in ("float32", "bf16")
    )
    batch = next(iter(exact.sampler.epoch(1)))
    one, other = (unit.trainer.measure(batch, warm=False).step.u.detach() for unit in (half, exact))
    assert one.dtype == torch.float32
    assert 0 < float((one - other).norm() / other.norm()) < 0.05


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_stack_takes_the_steps_of_its_members(make_unit: MakeUnit, encoder: str) -> None:
    changes = {**HEAVY, "model.encoder": encoder}
    alone, together = (
        [make_unit(changes, seed=seed, run=run, device="cuda") for seed in range(3)]
        for run in ("alone", "together")
    )
    for unit in (*alone, *together):
        in_double(unit.trainer)
    stack = Stack([unit.trainer for unit in together])
    for number, batches in enumerate(zip(*(unit.sampler.epoch(1) for unit in alone), strict=True)):
        stack.step(batches, progress=0.0, probe=number == 1)
        for unit, batch in zip(alone, batches, strict=True):
            unit.trainer.step(batch, progress=0.0, probe=number == 1)
    for one, other in zip(together, alone, strict=True):
        assert not far(one, other)


def test_a_stacked_audited_trial_runs_to_its_end(make_unit: MakeUnit) -> None:
    units = [
        make_unit({**HEAVY, "audit": "strict"}, seed=seed, device="cuda", twins=seed == 0)
        for seed in range(2)
    ]
    stacked = StackedUnits()
    while not all(unit.finished for unit in units):
        assert all(not isinstance(told, Exception) for _, told in stacked.advance(units))
    assert [(unit.status, unit.row["reason"]) for unit in units] == [("done", "")] * 2
    assert all(np.isfinite(unit.row["objective_value"]) for unit in units)
