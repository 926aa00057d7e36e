"""Prior density: another mean or noise of the Gaussian process is told at a real step, a sound one never."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from models.environment.prior import GaussianProcessPrior
from models.environment.resistance import Reference
from tests.harness.conftest import MakeUnit
from tests.harness.test_audit_real_steps import said, told

PRIOR: dict[str, Any] = {"loss.gp_prior.weight": 0.5}


def without_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GaussianProcessPrior, "mean", lambda self, reference: torch.zeros(()))


def twice_noisy(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = GaussianProcessPrior.kernel

    def noisy(self: GaussianProcessPrior, x: Tensor, y: Tensor, reference: Reference) -> Tensor:
        return kernel(self, x, y, reference) + (self.noise * torch.eye(len(x)) if x is y else 0.0)

    monkeypatch.setattr(GaussianProcessPrior, "kernel", noisy)


@pytest.mark.parametrize("patch", [without_mean, twice_noisy])
def test_another_density_is_told(
    patch: Callable[[pytest.MonkeyPatch], None], make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [finding.reason for finding in said(make_unit(PRIOR, run="sound"), epochs=2)][:-1] == []
    unit_run = make_unit(PRIOR)
    patch(monkeypatch)
    assert any("the log density of raw R_E is" in finding.reason for finding in told(unit_run, epochs=2))
