"""When a cell-scope energy leaves the order of U_I: each form's own claim against its numerical slope."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.energy import ENERGIES, Energy
from models.energy.gates import BoostedGateEnergy
from models.environment.resistance import Reference, Resistance

GRID = torch.linspace(-6.0, 6.0, 481, dtype=torch.float64)
FORMS = ENERGIES.keys()


def build(form: str, scalar: float) -> Energy:
    """An energy whose one scalar is `scalar`, brought into the range that the form allows."""
    share = abs(scalar) / 2
    arguments: dict[str, dict[str, Any]] = {
        "interaction": {"lam": scalar},
        "gated": {"w": scalar},
        "blocking": {"w": scalar},
        "boosted_gate": {"a": share},
        "threshold_gate": {"b": share + 0.01, "tau": scalar},
    }
    return ENERGIES.build(form, **arguments.get(form, {})).double()


@pytest.mark.parametrize("form", FORMS)
@given(r=st.floats(-5, 5), scalar=st.floats(-2, 2), temperature=st.floats(0.5, 3))
@settings(max_examples=15, deadline=None)
def test_the_claim_agrees_with_the_numerical_slope(
    form: str, r: float, scalar: float, temperature: float
) -> None:
    energy, h = build(form, scalar), 1e-5
    r_e, t = torch.tensor([[r]], dtype=torch.float64), torch.tensor([[temperature]], dtype=torch.float64)
    claim = energy.strictly_increasing(r_e)
    assert claim.dtype == torch.bool
    assert claim.shape == r_e.shape
    with torch.no_grad():
        slope = (energy(GRID[None] + h, r_e, t) - energy(GRID[None] - h, r_e, t)) / (2 * h)
    least = slope.min().item()
    if abs(least) < 1e-9 or (form == "boosted_gate" and abs(least) < 1e-4):
        return  # at the bound itself, or between two points of the grid
    assert bool(claim) == (least > 0)


def test_what_each_form_claims() -> None:
    r = torch.tensor([[-3.0, 0.0, 3.0]], dtype=torch.float64)
    always: dict[str, dict[str, float]] = {
        "linear": {},
        "gated": {"w": 2.0},
        "threshold_gate": {},
        "blocking": {"w": -2.0},
        "binding": {},
    }
    for form, arguments in always.items():
        assert ENERGIES.build(form, **arguments).double().strictly_increasing(r).all(), form
    # 1 + lam R_E > 0, and a sigmoid(R_E) below the bound
    assert ENERGIES.build("interaction", lam=0.5).strictly_increasing(r).tolist() == [[False, True, True]]
    assert ENERGIES.build("boosted_gate", a=0.9).strictly_increasing(r).tolist() == [[True, True, False]]
    assert 0.9 / (1 + math.exp(-3.0)) > BoostedGateEnergy.BOUND
    assert set(always) | {"interaction", "boosted_gate"} == set(FORMS)


def test_a_resistance_of_the_pair_can_turn_an_order_around() -> None:
    u = torch.tensor([[0.5, 0.6]], dtype=torch.float64)
    reference = Reference(torch.tensor([1.0, -1.0]), torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.ones(2))
    for form in FORMS:
        if form == "binding":
            continue  # it has no R_E(x, c)
        energy = build(form, 1.0)
        head = Resistance(
            2, 2, "sample", 1, energy.nonnegative_resistance, energy.standardise_resistance
        ).double()
        with torch.no_grad():
            for parameter in head.cell_part.parameters():
                parameter.zero_()
            head.a.weight.copy_(torch.tensor([[4.0, 0.0]]))
            head.b.weight.copy_(torch.tensor([[1.0, 0.0]]))
            side = 1.0 if form in ("linear", "interaction") else -1.0
            z_i = torch.tensor([[[-side, 0.0], [side, 0.0]]], dtype=torch.float64)
            r = head(torch.tensor([[1.0, 0.0]], dtype=torch.float64), z_i, reference).r
            low, high = energy(u, r, torch.ones(1, 1, dtype=torch.float64))[0]
        assert r.shape == (1, 2), form
        assert low > high, form
