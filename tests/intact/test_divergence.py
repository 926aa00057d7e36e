"""Numbers that are lost end a unit as diverged, with its rows and without an accusation, wherever they are lost."""

from pathlib import Path
from typing import Any

import pytest
import torch

from harness.config.space.compose import compose
from harness.trial.unit_run import UnitRun
from tests.intact.factors import SHORT, TINY
from tests.intact.run import ACCUSED, Data, unit_of

LOST: dict[str, Any] = {**SHORT, **TINY, "optimiser.lr": 1.0, "optimiser.clip": 1e6, "optimiser.epochs": 8}
KINDS: dict[str, dict[str, Any]] = {
    "blocking": {"energy.form": "blocking", "temperature.mode": "learned"},
    "per_cell": {"temperature.mode": "per_cell", "balance.kind": "grad_norm", "loss.ranking.weight": 0.5},
    "prior": {"loss.gp_prior.weight": 0.5, "environment.prior.extrapolate": "posterior"},
}
MORE: dict[str, dict[str, Any]] = {
    **KINDS,
    "binding": {"energy.form": "binding"},
    "threshold_gate": {"energy.form": "threshold_gate", "environment.scope": "sample"},
    "calibrated": {"temperature.mode": "calibrated", "balance.kind": "pcgrad", "decouple.club": 0.5},
    "dependence": {"decouple.hsic": 0.5, "decouple.infonce": 0.5, "decouple.irm": 0.5},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    torch.set_num_threads(1)
    return Data(tmp_path_factory.mktemp("cache"))


def made(changes: dict[str, Any], data: Data, folder: Path) -> UnitRun:
    return unit_of(compose({}, {**LOST, **changes}).resolved(), *data.open("gated"), folder)


def held_to_divergence(unit_run: UnitRun, where: tuple[str, ...]) -> None:
    """Run to the end: diverged there, the rows of every finished epoch kept, and nobody accused."""
    while not unit_run.finished:
        unit_run.advance()
    assert unit_run.status == "diverged", unit_run.row["reason"]
    assert unit_run.row["reason"].startswith(where)
    assert len(unit_run.rows("epochs")) == unit_run.epoch
    assert not [row for row in unit_run.rows("audit") if row["verdict"] in ACCUSED]


@pytest.mark.parametrize("kind", KINDS)
def test_a_learning_rate_of_one_ends_as_diverged(kind: str, data: Data, tmp_path: Path) -> None:
    held_to_divergence(made(KINDS[kind], data, tmp_path), ("epoch ", "after epoch "))


@pytest.mark.parametrize("factor", [float("nan"), 1e20], ids=["nan", "overflow"])
@pytest.mark.parametrize("kind", MORE)
def test_numbers_lost_within_the_first_audit(kind: str, factor: float, data: Data, tmp_path: Path) -> None:
    unit_run = made(MORE[kind], data, tmp_path)
    with torch.no_grad():
        for parameter in unit_run.trainer.parameters:
            parameter.mul_(factor)
    held_to_divergence(unit_run, ("epoch 1: ",))
