"""Per-cell AUPR of the corrected score against that of U_I alone: equal where it is derived to be, free where not."""

from typing import Any

import numpy as np
import pytest
import torch

from analysis.metrics import binary_metrics
from harness.config.blocks.explain import ConfigError
from models.energy import ENERGIES, Energy
from models.environment.abundance import AbundanceResistance
from models.environment.resistance import Reference, Resistance
from models.streams import initialise
from tests.harness.conftest import MakeUnit

CELLS, PAIRS, WIDTH, FEATURES = 8, 300, 4, 6
INVARIANT: dict[str, dict[str, Any]] = {
    "linear": {},
    "interaction": {"lam": 0.5},
    "gated": {"w": -1.5},
    "boosted_gate": {"a": 0.83},
    "threshold_gate": {"b": 0.05, "tau": 0.3},
    "blocking": {"w": 2.0},
    "binding": {},
}


def simulated(
    form: str, scope: Any = "cell", **arguments: Any
) -> tuple[Energy, torch.Tensor, torch.Tensor, np.ndarray]:
    """(energy, U_I [C, Q], R_E, labels [C, Q]): R_E of random z_E by the form's own resistance, labels from U_I."""
    source = torch.Generator().manual_seed(3)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=source, dtype=torch.float64)

    energy = ENERGIES.build(form, **arguments).double()
    if form == "binding":
        head: Resistance = AbundanceResistance(WIDTH, FEATURES)
    else:
        signs = (energy.nonnegative_resistance, energy.standardise_resistance)
        head = Resistance(WIDTH, FEATURES, scope, 2, *signs)
    initialise(head.double(), 1)
    z_e, z_i, u = normal(CELLS, WIDTH), normal(CELLS, PAIRS, FEATURES), 2 * normal(CELLS, PAIRS)
    if scope == "sample":
        torch.nn.init.normal_(head.a.weight, generator=source)
    reference = Reference(head.raw_cell(z_e).detach(), z_e, torch.ones(CELLS, dtype=torch.float64))
    r = head(z_e, z_i, reference).r.detach()
    label = (torch.rand(CELLS, PAIRS, generator=source) < torch.sigmoid(u)).numpy()
    return energy, u, r, label


def per_cell(score: torch.Tensor, label: np.ndarray) -> list[float]:
    return [
        binary_metrics(s, y, threshold_logit=0.0)["aupr"] for s, y in zip(score.numpy(), label, strict=True)
    ]


def change(energy: Energy, u: torch.Tensor, r: torch.Tensor, label: np.ndarray) -> float:
    """Largest change of a cell line's AUPR from U_I to the corrected score."""
    with torch.no_grad():
        logit = energy(u, r, torch.linspace(0.5, 2.0, CELLS, dtype=torch.float64)[:, None])
    pairs = zip(per_cell(u, label), per_cell(logit, label), strict=True)
    return max(abs(alone - corrected) for alone, corrected in pairs)


def test_every_form_is_classified() -> None:
    assert set(INVARIANT) == set(ENERGIES.keys())


@pytest.mark.parametrize("form", INVARIANT)
def test_a_cell_scope_resistance_leaves_every_cell_lines_aupr(form: str) -> None:
    energy, u, r, label = simulated(form, **INVARIANT[form])
    assert r.shape == (CELLS, 1)
    assert float(r.std()) > 0.01
    assert energy.strictly_increasing(r).all()
    assert change(energy, u, r, label) <= 1e-12


@pytest.mark.parametrize(
    ("form", "arguments"), [("interaction", {"lam": -2.0}), ("boosted_gate", {"a": 1.0})]
)
def test_beyond_its_bound_a_form_changes_them_and_says_so(form: str, arguments: dict[str, float]) -> None:
    energy, u, r, label = simulated(form, **arguments)
    flags = energy.strictly_increasing(r + 2.5)
    assert not flags.all()
    assert change(energy, u, r + 2.5, label) > 1e-4


@pytest.mark.parametrize("form", [form for form in INVARIANT if form != "binding"])
def test_a_resistance_of_the_pair_changes_a_cell_lines_aupr(form: str) -> None:
    energy, u, r, label = simulated(form, "sample", **INVARIANT[form])
    assert r.shape == (CELLS, PAIRS)
    assert change(energy, u, r, label) > 1e-3


@pytest.mark.parametrize("form", INVARIANT)
def test_a_trained_trial_says_what_its_rows_show(make_unit: MakeUnit, form: str) -> None:
    arguments = {f"energy.{name}": value for name, value in INVARIANT[form].items()}
    unit_run = make_unit({"energy.form": form, **arguments, "optimiser.epochs": 1})
    unit_run.advance()
    rows = [
        row
        for row in unit_run.rows("cells")
        if row["selection"] == "last" and row["prevalence_mode"] == "as_found"
    ]
    found = {(row["split"], row["cell_line"], row["score"]): row["aupr"] for row in rows}
    assert unit_run.row["rank_invariant"] is True
    lines = [(split, line) for split, line, _ in found if line not in ("macro", "pooled")]
    assert len(lines) >= 10
    for split, line in lines:
        assert found[split, line, "corrected"] == pytest.approx(found[split, line, "u_only"], abs=1e-12)


def test_sample_scope_is_not_called_rank_invariant(
    make_unit: MakeUnit,
) -> None:
    unit_run = make_unit({"energy.form": "blocking", "environment.scope": "sample", "optimiser.epochs": 1})
    unit_run.advance()
    assert unit_run.row["rank_invariant"] is False
    with pytest.raises(ConfigError, match="binding has no R_E\\(x, c\\)"):
        make_unit({"energy.form": "binding", "environment.scope": "sample"})
