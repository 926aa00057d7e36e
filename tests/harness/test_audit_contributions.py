"""What each loss term adds to a step: the step without it follows, and where parts and step differ it is really taken."""

from collections.abc import Sequence

import pytest
import torch

from harness.audit.contributions import Contributions
from harness.audit.probe import Probe, differ, norm
from harness.audit.twins import Twins
from harness.trial.step.routing import Boundary, Gradients, Router, WeightedTerm
from tests.harness.conftest import MakeUnit
from tests.harness.test_audit_weights import CHANGES, PATHS


def twins_of(make_unit: MakeUnit) -> Twins:
    with torch.random.fork_rng(devices=[]):
        return Twins(Probe(make_unit(CHANGES).subject))


def contributions(twins: Twins) -> Contributions:
    return Contributions(twins.probe.behind(twins.probe.summed), twins.probe.batch, twins.short)


def test_a_step_without_a_term_follows_from_its_parts(make_unit: MakeUnit) -> None:
    twins = twins_of(make_unit)
    parts = contributions(twins)
    assert parts.whole
    for key in PATHS:
        made, taken = parts.without(key), twins.without(key)
        if made is None:
            continue
        assert made.gradients.keys() == taken.gradients.keys()
        assert differ(made.gradients, taken.gradients) <= 1e-4 * norm(taken.gradients), key
        for name in set(taken.parameters) - set(parts.parts[key]):
            assert torch.equal(made.parameters[name], taken.parameters[name]), "not reached, not moved"
        gaps = [differ(twins.short.parameters, step.parameters) for step in (made, taken)]
        assert gaps[0] == pytest.approx(gaps[1], rel=1e-2)
    assert sum(parts.without(key) is not None for key in PATHS) >= 4


def test_a_term_that_a_step_drops_is_really_left_out(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    gradients = Router.gradients

    def drops(self: Router, terms: Sequence[WeightedTerm], boundary: Boundary) -> Gradients:
        together = len(terms) > 1
        return gradients(
            self, [term for term in terms if not (together and term.name == "pearson")], boundary
        )

    monkeypatch.setattr(Router, "gradients", drops)
    twins = twins_of(make_unit)
    parts = contributions(twins)
    assert not parts.whole
    assert parts.without("pearson") is None
    assert twins.gradient_gap(twins.left_out("pearson")) == 0.0


def test_a_part_too_small_for_the_sum_is_really_left_out(make_unit: MakeUnit) -> None:
    twins = twins_of(make_unit)
    parts = contributions(twins)
    parts.parts["pearson"] = {name: 1e-9 * part for name, part in parts.parts["pearson"].items()}
    assert parts.without("pearson") is None
