"""Each energy's NumPy form against the model's own, gates and raw resistances too, at ordinary and at extreme values."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import softplus

from analysis.ledger.forms import FORMS, GATES
from analysis.ledger.recompute import recompute, unknown_form
from analysis.ledger.resistance import RAW, summands
from models.energy import ENERGIES
from models.environment.abundance import log_softplus
from models.environment.resistance import Reference, Resistance

SCALARS: dict[str, dict[str, float]] = {
    "linear": {},
    "interaction": {"lam": -0.7},
    "gated": {"w": 2.5},
    "boosted_gate": {"a": 0.9},
    "threshold_gate": {"b": 0.3, "tau": 0.1},
    "blocking": {"w": -1.5},
    "binding": {},
}
EXTREME = [0.0, -0.0, 1e-30, -1e-30, 0.1, -0.1, 1.0, -3.0, 40.0, -90.0, 800.0, -5000.0]


def columns(seed: int) -> dict[str, np.ndarray]:
    """u, r, t float32 [N]: random ones, and every extreme u with every extreme r at cold, plain and hot T."""
    random = np.random.default_rng(seed)
    u, r, t = (part.ravel() for part in np.meshgrid(EXTREME, EXTREME, [0.01, 1.0, 30.0]))
    parts = {
        "u": np.concatenate([random.normal(0, 3, 4000), u]),
        "r": np.concatenate([random.normal(0, 2, 4000), r]),
        "t": np.concatenate([random.lognormal(0, 1, 4000), t]),
    }
    return {name: part.astype(np.float32) for name, part in parts.items()}


def of_model(form: str, rows: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray | None]:
    """Logit and gate by the model's energy in float32, as scoring calls it."""
    energy = ENERGIES.build(form, **SCALARS[form])
    u, r, t = (torch.from_numpy(rows[name]).unsqueeze(1) for name in ("u", "r", "t"))
    with torch.no_grad():
        gate = energy.gate(r)
        return energy(u, r, t)[:, 0].numpy(), None if gate is None else gate[:, 0].numpy()


def test_every_energy_of_the_product_has_a_form() -> None:
    built_in = {row.key for row in ENERGIES if row.cls.__module__.startswith("models.")}
    assert built_in == set(FORMS) == set(RAW) == set(SCALARS)


@pytest.mark.parametrize("form", FORMS)
def test_a_form_gives_the_logits_of_the_energy(form: str) -> None:
    rows = columns(list(FORMS).index(form))
    logit, gate = of_model(form, rows)
    made = recompute({**rows, "logit": logit}, {"phase": 2, "form": form, **SCALARS[form]})
    assert made.gap < 0.2, "rounding is far below the tolerance"
    assert (gate is not None) == (form in GATES)
    if gate is not None:
        opened = GATES[form](rows["r"].astype(np.float64), SCALARS[form])
        np.testing.assert_allclose(opened, gate, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_another_energy_is_told_apart(form: str) -> None:
    rows = {name: part[:4000] for name, part in columns(1).items()}
    for other in set(FORMS) - {form}:
        logit, _ = of_model(other, rows)
        made = recompute({**rows, "logit": logit}, {"phase": 2, "form": form, **SCALARS[form]})
        assert made.wrong.mean() > 0.5, other


def test_a_threshold_is_compared_as_float32() -> None:
    tau = 0.1
    r = np.array([np.float32(tau), np.nextafter(np.float32(tau), np.float32(1))], dtype=np.float32)
    unit = {"phase": 2, "form": "threshold_gate", "b": 0.5, "tau": tau}
    made = recompute({"u": [2.0, 2.0], "r": r, "t": [1.0, 1.0], "logit": [1.0, 2.0]}, unit)
    assert made.logit.tolist() == [1.0, 2.0]


def test_in_phase_1_the_logit_is_the_potential() -> None:
    unit = {"phase": 1, "form": "my_energy"}
    assert unknown_form(unit) is None
    assert recompute({"u": [1.5], "r": [9.0], "t": [3.0], "logit": [1.5]}, unit).gap == 0.0


def test_a_number_that_is_lost_is_a_difference() -> None:
    unit = {"phase": 2, "form": "linear"}
    rows = {"u": [1.0, np.nan, 1.0], "r": [0.0, 0.0, 0.0], "t": [1.0, 1.0, 0.0], "logit": [np.nan, 1.0, 1.0]}
    assert recompute(rows, unit).wrong.all()


def test_an_energy_of_a_person_has_no_form() -> None:
    assert "energy.form mine has no NumPy form" in str(unknown_form({"phase": 2, "form": "mine"}))


@pytest.mark.parametrize("form", RAW)
def test_a_raw_resistance_is_read_back(form: str) -> None:
    raw = torch.cat([torch.randn(2000) * 5, torch.tensor([-60.0, -30.0, -15.5, -14.5, 0.0, 25.0, 300.0])])
    seen = torch.tensor([1.0, 1.0, 0.0, 1.0])
    reference = Reference(torch.tensor([0.3, -0.5, 99.0, 0.9]), torch.zeros(4, 2), seen)
    energy = ENERGIES.build(form, **SCALARS[form])
    if form == "binding":
        r = -log_softplus(raw)
    else:
        resistance = energy.resistance(width=2, features=2, scope="cell", rank=1)
        assert isinstance(resistance, Resistance)
        r = resistance.of_cell(raw, reference)
    met = reference.r[seen > 0].double().numpy()
    unit: dict[str, Any] = {"reference_mean": met.mean(), "reference_sd": met.std()}
    back = RAW[form](r.double().numpy(), unit)
    np.testing.assert_allclose(back, raw.numpy(), rtol=1e-5, atol=1e-5)
    unmet = RAW["gated"](np.array([1.25]), {"reference_mean": None, "reference_sd": None})
    assert unmet.tolist() == [1.25]


def test_a_raw_value_near_0_is_off_by_what_it_is_a_sum_of() -> None:
    reference = Reference(torch.tensor([-4271.9, -1716.0]), torch.zeros(2, 2), torch.ones(2))
    resistance = ENERGIES.build("gated").resistance(width=2, features=2, scope="cell", rank=1)
    assert isinstance(resistance, Resistance)
    raw = torch.linspace(-3.0, 3.0, 1001)
    r = resistance.of_cell(raw, reference).double().numpy()
    unit: dict[str, Any] = {
        "reference_mean": float(reference.r.double().mean()),
        "reference_sd": float(reference.r.double().std(correction=0)),
    }
    gap, size = np.abs(RAW["gated"](r, unit) - raw.double().numpy()), summands(r, unit)
    assert gap.max() > 1e-5 * (1 + 3.0)
    assert (gap <= 1e-6 * size).all()
    assert size == pytest.approx(2994 + 2994, rel=2e-3)
    unmet = {"reference_mean": None, "reference_sd": None}
    assert summands(np.array([-1.25]), unmet).tolist() == [1.25]


def test_an_underflowed_resistance_has_no_raw_value() -> None:
    r = softplus(torch.tensor([-200.0])).double().numpy()
    assert np.isnan(RAW["linear"](r, {})).all()
