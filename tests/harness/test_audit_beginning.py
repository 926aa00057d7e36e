"""Where a unit begins: its parameters are those of its seed, and nothing of a beginning stays once a state is loaded."""

from typing import Any

import pytest
import torch

from harness.audit import promised_draws
from harness.audit.beginning import strange_beginning
from harness.trial.step import trainer
from harness.trial.step.draws import TrainingDraws
from models.environment.graph import PrototypeGraph
from models.streams import SeededNoise, initialise, stream_seed
from tests.harness.conftest import MakeUnit
from tests.harness.test_audit_real_steps import SEVERAL, said

STRICT: dict[str, Any] = {**SEVERAL, "audit": "strict"}


@pytest.mark.parametrize("seed", [0, 7])
def test_an_intact_unit_begins_as_its_seed_says(make_unit: MakeUnit, seed: int) -> None:
    assert list(strange_beginning(make_unit(SEVERAL, seed=seed).trainer)) == []


@pytest.mark.parametrize("part", ["model", "terms"])
def test_a_beginning_of_another_seed_is_said(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    def broken(module: Any, seed: int) -> None:
        initialise(module, stream_seed(0, part) if seed == stream_seed(3, part) else seed)

    monkeypatch.setattr(trainer, "initialise", broken)
    assert list(strange_beginning(make_unit(SEVERAL, seed=0).trainer)) == []
    (breach,) = strange_beginning(make_unit(SEVERAL, seed=3, run="other").trainer)
    assert f"parameters of {part}." in breach.sentence
    assert "that seed 3 gives them" in breach.sentence


def test_what_is_left_of_a_beginning_is_said(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    reset, edges = PrototypeGraph.reset_parameters, PrototypeGraph.adjacency

    def broken(self: Any) -> None:
        reset(self)
        self.register_buffer("edges", edges(self), persistent=False)

    monkeypatch.setattr(PrototypeGraph, "reset_parameters", broken)
    monkeypatch.setattr(PrototypeGraph, "adjacency", lambda self: self.edges)
    graph = {"environment.teacher.kind": "gradient", "environment.graph.kind": "gcn"}
    unit_run = make_unit(graph)
    assert any("got a gradient of norm" in finding.reason for finding in said(unit_run, epochs=1))


def test_promised_draws_are_those_of_the_definition() -> None:
    draws, like = TrainingDraws(5, pseudo_unseen=0.3, labels=True), torch.zeros(7, 11)
    noise = draws.noise(4)
    assert isinstance(noise, SeededNoise)
    assert torch.equal(noise.mask("a.b", like, 0.7) > 0, promised_draws.kept(5, "a.b", 4, like, 0.3))
    assert torch.equal(noise.normal("a.b", like), promised_draws.normal(5, "a.b", 4, like))
    hidden = draws.hidden(torch.zeros(9), 4)
    assert hidden is not None
    assert torch.equal(hidden, promised_draws.hidden(5, 4, 9, 0.3))
    assert torch.equal(draws.shown(like, 4) > 0, promised_draws.shown(5, 4, 7, 11))
    assert promised_draws.below_seed(5, "a", "b") == stream_seed(5, "a", "b")
