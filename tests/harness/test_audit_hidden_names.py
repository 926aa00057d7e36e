"""A hidden name hides what is remembered under it, and a unit in which it does not is accused."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.audit.hidden_names import leaking_name
from harness.audit.probe import Probe
from harness.audit.twins import Twins
from models.environment import cell_environment
from models.environment.prior import GaussianProcessPrior, Posterior
from models.environment.resistance import Reference
from tests.harness.conftest import MakeUnit

HIDES: dict[str, Any] = {
    "episode.pseudo_unseen": 0.4,
    "environment.teacher.kind": "gradient",
    "environment.prior.extrapolate": "posterior",
}


def said(make_unit: MakeUnit) -> str:
    return leaking_name(Twins(Probe(make_unit(HIDES).subject)))


def test_a_hidden_name_hides_what_is_known_by_it(make_unit: MakeUnit) -> None:
    assert said(make_unit) == ""


def test_a_prior_that_uses_the_hidden_line_is_said(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    posterior = GaussianProcessPrior.posterior

    def knowing(
        self: GaussianProcessPrior, place: Tensor, reference: Reference, hidden: Tensor | None = None
    ) -> Posterior:
        return posterior(self, place, reference, None)

    monkeypatch.setattr(GaussianProcessPrior, "posterior", knowing)
    assert said(make_unit).endswith("on that line's own running R_E")


def test_a_teacher_that_speaks_without_a_name_is_said(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = cell_environment.CellEnvironment.forward

    def named(self: Any, support: Any, memory: Any) -> Any:
        hidden = support.hidden
        cell = support.cell if hidden is None else torch.maximum(support.cell, hidden)
        environment = make(self, replace(support, cell=cell), memory)
        return environment._replace(cell=support.cell)

    monkeypatch.setattr(cell_environment.CellEnvironment, "forward", named)
    assert said(make_unit).endswith("on that line's own place in the Teacher's table")
