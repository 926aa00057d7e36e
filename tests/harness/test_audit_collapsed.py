"""A model that has collapsed onto one number is that: no term of its loss is said to read nothing."""

from typing import Any

import pytest
import torch
from torch import Tensor

from harness.audit.finding import FATAL
from harness.audit.term_inputs import scattered
from models.losses.ranking import SmoothApRanking
from models.losses.term import State
from tests.audited import audit_of
from tests.harness.conftest import MakeUnit

CHANGES: dict[str, Any] = {
    "loss.ranking.surrogate": "smooth_ap",
    "loss.ranking.weight": 0.5,
    "decouple.irm": 0.3,
}


def collapsed(make_unit: MakeUnit) -> Any:
    """A unit whose U_I is one number for all pairs, up to rounding."""
    unit = make_unit(CHANGES)
    with torch.no_grad():
        for parameter in unit.trainer.model.sequence.energy.parameters():
            parameter.mul_(1e-8)
    return unit


def said(unit: Any) -> dict[str, str]:
    return {f.mechanism: f.reason for f in audit_of(unit, first=False).findings if f.verdict in FATAL}


def test_no_term_is_accused_where_all_logits_are_one_number(make_unit: MakeUnit) -> None:
    reasons = said(collapsed(make_unit))
    assert not {name for name, reason in reasons.items() if "it does not read" in reason}


def test_a_term_that_reads_nothing_is_still_accused_there(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = SmoothApRanking.forward

    def deaf(self: SmoothApRanking, step: Any, state: State) -> tuple[Tensor, State]:
        value, after = forward(self, step, state)
        return value.detach() * 0 + 1 + 0 * step.logit.sum(), after

    unit = collapsed(make_unit)
    monkeypatch.setattr(SmoothApRanking, "forward", deaf)
    assert "ranking_smooth_ap" in said(unit)


def test_scattered_numbers_are_the_same_each_time() -> None:
    content = torch.full((3, 4), 0.5)
    assert torch.equal(scattered(content), scattered(content))
    assert scattered(content).unique().numel() == 12
