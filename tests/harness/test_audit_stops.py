"""Stops: a gradient that flows where the definitions stop it is told, and none is in a sound unit."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import harness.trial.step.measure as measure
import models.environment.graph as graph
import models.environment.prior as prior
import models.environment.resistance as resistance
from harness.audit.module_slopes import other_slopes
from harness.audit.probe import Probe
from harness.audit.stops import open_stops
from harness.audit.twins import Twins
from harness.trial.episodes.batches import forward
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.step import on_demand
from harness.trial.step.draws import Draws
from harness.trial.step.measure import Measure, Sides
from harness.trial.unit_run import UnitRun
from models.energy.temperature import PerCellTemperature
from models.environment.resistance import Resistance
from tests.harness.conftest import MakeUnit

EVERYTHING: dict[str, Any] = {
    "energy.form": "gated",
    "environment.scope": "sample",
    "environment.teacher.kind": "gradient",
    "environment.graph.kind": "gcn",
    "environment.graph.map": "attention",
    "episode.pseudo_unseen": 0.25,
    "loss.gp_prior.weight": 0.1,
    "loss.competition.weight": 0.1,
}


def told(unit_run: UnitRun) -> list[str]:
    with torch.random.fork_rng(devices=[]):
        return [finding.reason for finding in open_stops(Twins(Probe(unit_run.subject)))]


@pytest.mark.parametrize(
    "changes",
    [
        {"environment": {"source": "none"}},
        EVERYTHING,
        {**EVERYTHING, "routing": "shared"},
        {**EVERYTHING, "energy.form": "linear", "environment.scope": "cell"},
        {"environment.teacher.kind": "ema", "episode.sampler": "random", "energy.form": "gated"},
        {
            "environment": {"source": "id", "unseen": "mean"},
            "episode.sampler": "random",
            "decouple.club": 0.1,
        },
    ],
    ids=["no environment", "everything", "shared", "linear", "mixed", "mixed rows"],
)
def test_no_sound_unit_has_an_open_stop(make_unit: MakeUnit, changes: dict[str, Any]) -> None:
    assert told(make_unit(changes)) == []


def passes(module: Any) -> Callable[[pytest.MonkeyPatch], None]:
    """What has more than one dimension passes through the stops of a module."""

    def stopped(x: Tensor) -> Tensor:
        return x if x.ndim > 1 else x.detach()

    return lambda monkeypatch: monkeypatch.setattr(module, "stopped", stopped)


def open_support(monkeypatch: pytest.MonkeyPatch) -> None:
    def sides(self: Measure, batch: EpisodeBatch, draws: Draws, index: int) -> Sides:
        made = [forward(self.model, self.dataset, part, self.device) for part in (batch.support, batch.query)]
        return Sides(*made)

    monkeypatch.setattr(Measure, "sides", sides)
    monkeypatch.setattr(measure, "stopped", lambda x: x)


def level(monkeypatch: pytest.MonkeyPatch) -> None:
    def heard(self: Resistance, cell: Tensor) -> Tensor:
        return cell

    monkeypatch.setattr(Resistance, "heard", heard)


BROKEN: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str]] = {
    "support features": (open_support, "the features of the support pairs"),
    "z_I of the queries": (passes(resistance), "U_I or z_I of the query pairs"),
    "energy of R_E": (passes(on_demand), "the energy as a function of R_E alone"),
    "level": (level, "the level that the episodes"),
    "places": (passes(prior), "beside that through raw R_E"),
    "edges": (passes(graph), "the edges of the prototype graph"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_open_stop_is_told(name: str, make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    patch, sentence = BROKEN[name]
    unit_run = make_unit(EVERYTHING)
    patch(monkeypatch)
    (text,) = told(unit_run)
    assert sentence in text


@pytest.mark.parametrize(
    "form", ["linear", "interaction", "gated", "boosted_gate", "threshold_gate", "binding"]
)
def test_no_sound_energy_has_another_slope(make_unit: MakeUnit, form: str) -> None:
    unit_run = make_unit({"energy.form": form, "environment.width": 4, "temperature.mode": "learned"})
    assert other_slopes(Twins(Probe(unit_run.subject))) == []


def test_a_cut_on_the_way_back_is_told(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    unit_run = make_unit({"environment.scope": "sample", "temperature.mode": "per_cell"})
    assert other_slopes(Twins(Probe(unit_run.subject))) == []
    of_cell = PerCellTemperature.forward

    def cut(self: PerCellTemperature, z_e: Tensor, episodes: int) -> Tensor:
        return of_cell(self, z_e.detach(), episodes)

    monkeypatch.setattr(PerCellTemperature, "forward", cut)
    (finding,) = other_slopes(Twins(Probe(unit_run.subject)))
    assert finding.reason.startswith("PerCellTemperature passes a slope of 0 to input 1")
