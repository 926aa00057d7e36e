"""What the optimiser makes of one gradient: told by its keys, and asked without a trace in what is asked next."""

import pytest
import torch

from harness.audit.fingerprint import Fingerprint, unlike
from harness.audit.probe import Probe
from harness.audit.settings import changed
from tests.harness.conftest import MakeUnit


@pytest.fixture
def probe(make_unit: MakeUnit) -> Probe:
    with torch.random.fork_rng(devices=[]):
        return Probe(make_unit({}).subject)


@pytest.mark.parametrize(
    ("path", "value"), [("optimiser.lr", 0.01), ("optimiser.weight_decay", 0.5), ("optimiser.clip", 0.001)]
)
def test_a_key_of_the_optimiser_makes_other_updates(probe: Probe, path: str, value: float) -> None:
    base, other = (
        Fingerprint(probe, changed(probe.summed, changes), "behind") for changes in ({}, {path: value})
    )
    assert unlike(base.updated(), other.updated())


def test_updates_leave_the_next_step_as_it_is(probe: Probe) -> None:
    asked, fresh = (Fingerprint(probe, probe.summed, "behind") for _ in range(2))
    asked.updated()
    one, two = asked.step(), fresh.step()
    assert not any(unlike(one[name], two[name]) for name in one)
    assert torch.equal(asked.logits(), fresh.logits())
