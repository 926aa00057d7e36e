"""A split that is still by chance is asked again at other parameters, and a step's tensors are asked of parts of terms."""

import pytest
import torch
from torch import Tensor

from harness.audit import neutral
from harness.audit.acting import UNSEEN
from harness.audit.elsewhere import Elsewhere, Vantage
from harness.audit.modules import judge_module
from harness.audit.probe import Probe
from harness.audit.reading import Moved, ScoreReading
from harness.audit.twins import Twins
from harness.mechanisms.alone import alone
from harness.mechanisms.catalogue import catalogue
from models.energy.dissipation import LinearEnergy
from models.environment.opportunist import Opinion, Opportunist
from tests.harness.conftest import MakeUnit

ROWS = {row.key: row for row in catalogue()}
STILL = Moved(known=1.0, unseen=0.0, relative=1.0, aupr=0.0, still=("test",))


@pytest.fixture
def probe(make_unit: MakeUnit) -> Probe:
    changes = {"environment.teacher.kind": "ema", "loss.distillation.weight": 0.5, "energy.form": "linear"}
    with torch.random.fork_rng(devices=[]):
        return Probe(make_unit(changes).subject)


def test_resistance_that_is_the_mean_by_chance_acts(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    twins = Twins(probe)
    reading = twins.reading
    r = float(reading.base["test"].r.flat[0])
    monkeypatch.setattr(ScoreReading, "mean_r", lambda _: r)
    here = reading.moved(reading.with_arguments(twins.trainer.model.energy, neutral.resisted(r)))
    assert here.still == ("test",)
    finding = judge_module(twins, ROWS["linear"], LinearEnergy)
    assert finding.verdict == "rank-invariant", finding
    assert (finding.effect_unseen or 0.0) > 1e-5


def test_only_what_is_still_everywhere_is_still(probe: Probe) -> None:
    elsewhere, asked, seen = Elsewhere(probe), frozenset({UNSEEN}), list[Vantage]()

    def look(vantage: Vantage) -> Moved:
        seen.append(vantage)
        return STILL

    assert elsewhere.confirmed(STILL, asked, look) == STILL
    assert len({id(vantage.trainer) for vantage in seen}) == 2
    memory, student = seen[0].trainer.memory, seen[0].trainer.model.environment.initial_memory()
    plain, before = probe.plain.memory, probe.plain.model.environment.initial_memory()
    followed = [name for name in memory if name.startswith("teacher/")]
    assert any(not torch.equal(student[name], before[name]) for name in followed)
    for name in followed:
        torch.testing.assert_close(memory[name] - student[name], plain[name] - before[name])


def test_splits_that_move_or_are_not_asked_for_cost_nothing(probe: Probe) -> None:
    def never(_: Vantage) -> Moved:
        raise AssertionError("nothing is to be asked")

    elsewhere, moving = Elsewhere(probe), STILL._replace(still=())
    assert elsewhere.confirmed(moving, frozenset({UNSEEN}), never) == moving
    assert elsewhere.confirmed(STILL, frozenset({"prediction_known", "training"}), never) == STILL


@pytest.mark.parametrize("blind", [False, True], ids=["intact", "zeros"])
def test_an_opportunist_without_its_statistics_is_inert(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch, blind: bool
) -> None:
    forward = Opportunist.forward

    def deaf(self: Opportunist, x: Tensor) -> Opinion:
        return forward(self, torch.zeros_like(x))

    if blind:
        monkeypatch.setattr(Opportunist, "forward", deaf)
    with torch.random.fork_rng(devices=[]):
        twins = Twins(Probe(make_unit(alone(ROWS["opportunist"])).subject))
        finding = judge_module(twins, ROWS["opportunist"], Opportunist)
    assert (finding.verdict, finding.check) == (("inert", "input") if blind else ("active", "")), finding
    assert ((finding.input_gap or 0.0) > 0.0) != blind
