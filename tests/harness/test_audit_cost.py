"""The cost of the twins is stated in steps of the trial: real ones where there are any, else those of the warm-up."""

import pytest
import torch

from harness.audit.auditor import Audit
from harness.audit.probe import Probe
from harness.audit.twins import Twins
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.inspection import Moment, Subject
from harness.trial.step.measure import Measured, Sides
from harness.trial.step.trainer import Trainer
from tests.harness.conftest import MakeUnit


def test_the_last_moment_costs_in_median_real_steps(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, float | None] = {}

    def unasked(subject: Subject, moment: Moment, *, step_s: float | None) -> Audit:
        asked[moment] = step_s
        return Audit([], 0.0)

    monkeypatch.setattr("harness.audit.unit_inspector.twins_of", unasked)
    make_unit({"audit": "warn", "optimiser.epochs": 1}).advance()
    assert asked["first"] is None
    assert asked["last"] is not None
    assert 0.0 < asked["last"] < 60.0


def test_a_known_step_is_what_costs_are_stated_in(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    measure = Trainer.measure

    def noted(self: Trainer, batch: EpisodeBatch, *, warm: bool, sides: Sides | None = None) -> Measured:
        sizes.append(batch.query.shape[1])
        return measure(self, batch, warm=warm, sides=sides)

    monkeypatch.setattr(Trainer, "measure", noted)
    subject = make_unit({}).subject
    with torch.random.fork_rng(devices=[]):
        known = Probe(subject, step_s=1e6)
        assert 0.0 < known.cost < 1e-3
        assert sizes == [8], "a small step"
        assert Probe(subject).cost > 1.0
        assert sizes[1:] == [16], "one of the trial's size"


def test_twins_have_an_earlier_teacher_that_had_trained(make_unit: MakeUnit) -> None:
    changes = {
        "episode.pseudo_unseen": 0.4,
        "environment.teacher.kind": "ema",
        "loss.distillation.weight": 0.5,
    }
    with torch.random.fork_rng(devices=[]):
        twins = Twins(Probe(make_unit(changes).subject))
    hidden = twins.trainer.hidden(twins.probe.batch, twins.trainer.index)
    assert hidden is not None
    assert float(twins.base.states["memory/ready"]) == 1.0
