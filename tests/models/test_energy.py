"""Energies against hand-computed numbers, their gauge, and when they leave the ranking of U_I alone."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.energy import ENERGIES
from models.streams import initialise

FLOATS = st.floats(-5, 5, allow_nan=False)
ONE = torch.ones(1, 1, dtype=torch.float64)


def tensor(*rows: list[float]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def test_linear_is_the_difference_over_the_temperature() -> None:
    logit = ENERGIES.build("linear")(tensor([2.0, -1.0]), tensor([0.5]), tensor([2.0]))
    assert torch.equal(logit, tensor([0.75, -0.75]))


def test_interaction_adds_the_product() -> None:
    energy = ENERGIES.build("interaction", lam=0.5).double()
    logit = energy(tensor([2.0, -1.0]), tensor([3.0]), tensor([2.0]))
    # (2 - 3 + 0.5 * 2 * 3) / 2 and (-1 - 3 - 0.5 * 3) / 2
    assert torch.allclose(logit, tensor([1.0, -2.75]), rtol=0, atol=1e-12)


def test_gated_multiplies_by_the_gate() -> None:
    energy = ENERGIES.build("gated", w=2.0).double()
    logit = energy(tensor([3.0, -1.0]), tensor([math.log(3.0) / 2]), tensor([1.5]))
    # sigmoid(2 * ln(3) / 2) = 3/4
    assert torch.allclose(logit, tensor([1.5, -0.5]), rtol=0, atol=1e-12)


@given(w=FLOATS, r=FLOATS, u=FLOATS)
def test_gated_energy_does_not_know_the_sign_of_w_and_r(w: float, r: float, u: float) -> None:
    there = ENERGIES.build("gated", w=w).double()(tensor([u]), tensor([r]), ONE)
    back = ENERGIES.build("gated", w=-w).double()(tensor([u]), tensor([-r]), ONE)
    assert torch.equal(there, back)


@pytest.mark.parametrize("form", ENERGIES.keys())
def test_sample_scope_equals_cell_scope_when_r_is_constant(form: str) -> None:
    energy = ENERGIES.build(form).double()
    u, temperature = torch.randn(3, 4, dtype=torch.float64), torch.rand(3, 1, dtype=torch.float64) + 0.5
    r = torch.rand(3, 1, dtype=torch.float64)
    assert torch.equal(energy(u, r, temperature), energy(u, r.expand(3, 4), temperature))


def test_interaction_flag_is_false_from_the_sign_change_on() -> None:
    energy = ENERGIES.build("interaction", lam=-0.5).double()
    flags = energy.strictly_increasing(tensor([0.0, 1.9, 2.0, 2.1]))
    assert flags.tolist() == [[True, True, False, False]]


def test_sign_conventions_of_the_resistance() -> None:
    wanted = {
        **dict.fromkeys(("linear", "interaction"), (True, False)),
        **dict.fromkeys(("gated", "boosted_gate", "threshold_gate", "blocking"), (False, True)),
        "binding": (False, False),
    }
    assert {
        row.key: (row.cls.nonnegative_resistance, row.cls.standardise_resistance) for row in ENERGIES
    } == wanted


def test_learned_scalars_are_reported_and_initialised() -> None:
    for form, name, value in (("interaction", "lam", 0.1), ("gated", "w", 1.0), ("blocking", "w", 1.0)):
        energy = ENERGIES.build(form)
        with torch.no_grad():
            getattr(energy, name).fill_(7.0)
        initialise(energy, seed=3)
        report = energy.report()
        assert list(report) == [name]
        assert report[name].item() == pytest.approx(value)
        assert not report[name].requires_grad
    for form in ("linear", "boosted_gate", "threshold_gate", "binding"):
        assert ENERGIES.build(form).report() == {}


@pytest.mark.parametrize(("form", "name"), [("interaction", "lam"), ("gated", "w")])
def test_learned_scalars_receive_the_gradient_of_the_equation(form: str, name: str) -> None:
    energy = ENERGIES.build(form).double()
    u, r = tensor([2.0]), tensor([0.7])
    energy(u, r, 2 * ONE).sum().backward()
    value = getattr(energy, name)
    gate = 1 / (1 + math.exp(-0.7))
    wanted = {"lam": 2.0 * 0.7 / 2, "w": 2.0 * gate * (1 - gate) * 0.7 / 2}[name]
    assert value.grad.item() == pytest.approx(wanted, rel=1e-9)


def test_rows_say_that_a_sample_part_has_either_sign() -> None:
    for form in ("linear", "interaction"):
        assert "R_E(c) >= 0" in ENERGIES.row(form).equation
        assert "may be negative" in ENERGIES.row(form).equation
