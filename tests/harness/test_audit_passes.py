"""How often the twins run the sequence side and take steps: what their cost comes from, counted instead of timed."""

from collections import Counter
from typing import Any

import pytest

from harness.audit.behind_sequence import given_sides
from harness.trial.step.trainer import StepLog, Trainer
from harness.trial.unit_run import UnitRun
from models.sequence.potential import SequenceOutput, SequencePotential
from tests.audited import audited
from tests.harness.conftest import MakeUnit

TERMS: dict[str, Any] = {
    "loss.ranking.weight": 0.5,
    "loss.contrastive.weight": 0.5,
    "loss.prototypes.weight": 0.5,
    "loss.sparsity.z_i": 0.1,
    "decouple.pearson": 0.5,
}
MOST = {"first": 90, "last": 60}
"""Passes of the sequence side at each moment for all mechanisms together."""
WHOLE = 2
"""Steps with the sequence side: one that warms the clone, and the one that every twin takes."""


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Passes of the sequence side, and steps with and behind it, from here on."""
    counts: Counter[str] = Counter()
    forward, step = SequencePotential.forward, Trainer.step

    def counting_forward(self: SequencePotential, *arguments: Any, **named: Any) -> SequenceOutput:
        counts["passes"] += 1
        return forward(self, *arguments, **named)

    def counting_step(self: Trainer, *arguments: Any, **named: Any) -> StepLog:
        counts["whole" if given_sides(self) is None else "behind"] += 1
        return step(self, *arguments, **named)

    monkeypatch.setattr(SequencePotential, "forward", counting_forward)
    monkeypatch.setattr(Trainer, "step", counting_step)
    return counts


def counts_of(unit_run: UnitRun, counted: Counter[str], moment: str) -> Counter[str]:
    counted.clear()
    audited(unit_run, first=moment == "first")
    return Counter(counted)


@pytest.mark.parametrize("moment", ["first", "last"])
def test_a_loss_term_costs_no_pass_of_the_sequence_side(
    make_unit: MakeUnit, counted: Counter[str], moment: str
) -> None:
    few, many = (counts_of(make_unit(changes), counted, moment) for changes in ({}, TERMS))
    assert many["passes"] == few["passes"] <= MOST[moment]
    assert many["whole"] == few["whole"] == WHOLE
    assert many["behind"] > few["behind"]
