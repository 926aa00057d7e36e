"""Gradients that twins are compared by: once per term whatever asks for them, and without a step of the optimiser."""

from collections.abc import Sequence

import pytest
import torch

from harness.audit.probe import Probe, differ
from harness.audit.remembered_gradients import RememberingRouter
from harness.audit.twins import Twins
from harness.trial.step.routing import Boundary, Gradients, Router, WeightedTerm
from tests.harness.conftest import MakeUnit
from tests.harness.test_audit_weights import CHANGES

HELD = {**CHANGES, "balance.kind": "grad_norm"}


def probe_of(make_unit: MakeUnit) -> Probe:
    with torch.random.fork_rng(devices=[]):
        return Probe(make_unit(HELD).subject, warm=False)


def test_shares_are_measured_on_what_a_balance_has(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = probe_of(make_unit)
    plain = probe.step(probe.clone(), shares=True)
    clone = probe.clone()
    clone.router = RememberingRouter(clone.router)
    calls, gradients = [], Router.gradients

    def counted(self: Router, terms: Sequence[WeightedTerm], boundary: Boundary) -> Gradients:
        calls.append(terms)
        return gradients(self, terms, boundary)

    monkeypatch.setattr(Router, "gradients", counted)
    step = probe.step(clone, shares=True)
    assert len(calls) == len(clone.weighted)
    assert plain.log is not None
    assert step.log is not None
    assert differ(plain.gradients, step.gradients) == 0.0
    assert step.log.shares.keys() == plain.log.shares.keys()
    for key, expected in plain.log.shares.items():
        assert step.log.shares[key] == pytest.approx(expected, rel=1e-5, nan_ok=True)


def test_a_twin_is_asked_for_gradients_and_stays(make_unit: MakeUnit) -> None:
    probe = probe_of(make_unit)
    clone = probe.behind(probe.summed)
    before = {name: parameter.detach().clone() for name, parameter in clone.named_parameters().items()}
    step = probe.step(probe.behind(probe.summed))
    assert differ(probe.gradients(clone), step.gradients) == 0.0
    assert differ(before, {name: p.detach() for name, p in clone.named_parameters().items()}) == 0.0
    assert differ(before, step.parameters) > 0.0


def test_a_balance_is_judged_by_the_step_as_it_is_taken(make_unit: MakeUnit) -> None:
    with torch.random.fork_rng(devices=[]):
        twins = Twins(probe_of(make_unit))
        changes = {"balance": {"kind": "fixed"}}
        assert twins.gap_without(changes, twins.twin(changes)) > 0.0
        assert twins.gap_without({}, twins.twin({})) == 0.0
