"""A learning rate that nothing survives ends a unit as diverged, with its rows, wherever the numbers are lost."""

from pathlib import Path
from typing import Any

import pytest
import torch

from harness.config.space.compose import compose
from tests.intact.factors import ENERGIES, SHORT, TINY
from tests.intact.run import ACCUSED, Data, unit_of

LOST: dict[str, Any] = {**SHORT, **TINY, "optimiser.lr": 1.0, "optimiser.clip": 1e6, "optimiser.epochs": 8}
KINDS: dict[str, dict[str, Any]] = {
    **{form: {"energy.form": form, "temperature.mode": "learned"} for form in ENERGIES},
    "per_cell": {"temperature.mode": "per_cell", "balance.kind": "grad_norm", "loss.ranking.weight": 0.5},
    "isab": {"environment.encoder": "isab", "decouple.club": 0.5, "balance.kind": "pcgrad"},
    "prior": {"loss.gp_prior.weight": 0.5, "environment.prior.extrapolate": "posterior"},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    torch.set_num_threads(1)
    return Data(tmp_path_factory.mktemp("cache"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_learning_rate_of_one_ends_as_diverged(kind: str, data: Data, tmp_path: Path) -> None:
    unit_run = unit_of(compose({}, {**LOST, **KINDS[kind]}).resolved(), *data.open("gated"), tmp_path)
    while not unit_run.finished:
        unit_run.advance()
    assert unit_run.status == "diverged", unit_run.trial["reason"]
    assert unit_run.trial["reason"].startswith(("epoch ", "after epoch "))
    assert len(unit_run.rows("epochs")) == unit_run.epoch, "the rows of every finished epoch are kept"
    assert not [row for row in unit_run.rows("audit") if row["verdict"] in ACCUSED]
