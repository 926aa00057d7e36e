"""Weights of loss terms are judged in groups, and one that is at fault is found in its group all the same."""

from typing import Any

import pytest
import torch

from harness.audit.probe import Probe, ProbeStep
from harness.audit.term_weights import weight_faults
from harness.audit.twins import Twins
from harness.trial.step.trainer import Trainer
from tests.harness.conftest import MakeUnit

PATHS = {
    "ranking": "loss.ranking.weight",
    "contrastive": "loss.contrastive.weight",
    "calibration": "loss.calibration.weight",
    "pearson": "decouple.pearson",
    "sparsity_z_i": "loss.sparsity.z_i",
    "sparsity_groups": "loss.sparsity.groups",
}
CHANGES: dict[str, Any] = dict.fromkeys(PATHS.values(), 0.5)


def faults(make_unit: MakeUnit, changes: dict[str, Any]) -> dict[str, tuple[str, str]]:
    with torch.random.fork_rng(devices=[]):
        twins = Twins(Probe(make_unit({**CHANGES, **changes}).subject))
        paths = {key: path for key, path in PATHS.items() if key in twins.terms}
        assert len(paths) == len(PATHS)
        return weight_faults(twins, paths)


@pytest.mark.parametrize("balance", ["fixed", "grad_norm", "pcgrad"])
def test_sound_weights_are_cleared_under_every_balance(make_unit: MakeUnit, balance: str) -> None:
    assert faults(make_unit, {"balance.kind": balance}) == {}


def test_sound_weights_are_cleared_without_asking_each(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    configurations = set()
    step = Probe.step

    def counted(self: Probe, clone: Trainer, **options: Any) -> ProbeStep:
        configurations.add(clone.config.model_dump_json())
        return step(self, clone, **options)

    monkeypatch.setattr(Probe, "step", counted)
    assert faults(make_unit, {}) == {}
    assert len(configurations) == 5, (
        "as it is, each half at twice the weight, and with the other half at 0 beside it"
    )


@pytest.mark.parametrize("broken", ["ranking", "pearson"])
def test_a_weight_that_is_not_used_is_found_among_others(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    init = Trainer.__init__

    def ignorant(self: Trainer, *arguments: Any) -> None:
        init(self, *arguments)
        self.weighted = [(term, 0.5 if term.key == broken else weight) for term, weight in self.weighted]

    monkeypatch.setattr(Trainer, "__init__", ignorant)
    assert {key: verdict for key, (verdict, _) in faults(make_unit, {}).items()} == {broken: "inert"}


def test_a_weight_of_0_that_acts_is_found_among_others(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    init = Trainer.__init__

    def leaky(self: Trainer, *arguments: Any) -> None:
        init(self, *arguments)
        if self.config.loss.calibration.weight == 0:
            self.weighted = [
                (term, 2 * weight if term.key == "task" else weight) for term, weight in self.weighted
            ]

    monkeypatch.setattr(Trainer, "__init__", leaky)
    assert {key: verdict for key, (verdict, _) in faults(make_unit, {}).items()} == {"calibration": "leaking"}
