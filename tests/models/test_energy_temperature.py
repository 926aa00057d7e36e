"""Temperatures: exactly 1 at the start, and the calibration that finds the T that was planted."""

from collections.abc import Callable

import pytest
import torch
from scipy.optimize import minimize_scalar
from torch.nn.functional import softplus

from models.energy import ENERGIES, TEMPERATURES, fit
from models.energy.temperature import LearnedTemperature, PerCellTemperature
from models.streams import initialise
from tests.typed import grad

ARGUMENTS = {"fixed": {}, "learned": {}, "per_cell": {"width": 4}, "calibrated": {}}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("mode", TEMPERATURES.keys())
def test_temperature_is_exactly_one_at_initialisation(mode: str, dtype: torch.dtype) -> None:
    temperature = TEMPERATURES.build(mode, **ARGUMENTS[mode]).to(dtype)
    initialise(temperature, seed=5)
    value = temperature(torch.randn(3, 4, dtype=dtype), 3)
    assert value.shape == (3, 1)
    assert value.dtype == dtype
    assert torch.equal(value, torch.ones(3, 1, dtype=dtype))


def test_fixed_temperature_is_the_configured_value() -> None:
    assert TEMPERATURES.build("fixed", value=2.5)(None, 2).tolist() == [[2.5], [2.5]]
    with pytest.raises(ValueError, match="not positive"):
        TEMPERATURES.build("fixed", value=0.0)


def test_learned_temperature_stays_positive_and_learns() -> None:
    temperature = LearnedTemperature().double()
    temperature(None, 2).sum().backward()
    # d softplus / dt at softplus(t) = 1 is 1 - exp(-1); two episodes
    assert grad(temperature.t).item() == pytest.approx(
        2 * (1 - torch.exp(torch.tensor(-1.0)).item()), rel=1e-6
    )
    torch.nn.init.constant_(temperature.t, -30.0)
    assert temperature(None, 1).item() > 0


def test_per_cell_temperature_is_softplus_of_a_linear_map() -> None:
    temperature = PerCellTemperature(width=2).double()
    with torch.no_grad():
        temperature.v.copy_(torch.tensor([1.0, -2.0]))
        temperature.t.fill_(0.5)
    z_e = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    wanted = softplus(torch.tensor([[1.5], [-1.5]], dtype=torch.float64))
    assert torch.allclose(temperature(z_e, 2), wanted)
    with pytest.raises(ValueError, match="needs z_E"):
        temperature(None, 2)


def divided(logits: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """T -> logits / T."""
    return lambda t: logits / t


def nll(logits: torch.Tensor, labels: torch.Tensor, t: float) -> float:
    return softplus(torch.where(labels > 0.5, -logits, logits) / t).mean().item()


@pytest.mark.parametrize("planted", [0.3, 1.0, 4.0])
def test_fit_finds_the_planted_temperature_and_the_minimum(planted: float) -> None:
    source = torch.Generator().manual_seed(1)
    true = 2 * torch.randn(20000, generator=source, dtype=torch.float64)
    labels = (torch.rand(20000, generator=source, dtype=torch.float64) < torch.sigmoid(true)).double()
    logits = planted * true
    found = fit(divided(logits), labels).item()
    assert found == pytest.approx(planted, rel=0.05)
    best = minimize_scalar(lambda t: nll(logits, labels, t), bounds=(0.05, 20), method="bounded")
    assert nll(logits, labels, found) <= best.fun + 1e-10


@pytest.mark.parametrize("form", ENERGIES.keys())
def test_fit_finds_the_planted_temperature_through_any_energy(form: str) -> None:
    """Labels are drawn at T = 2.5; dividing the logit at T = 1 by a T finds another one where T is inside the form."""
    source = torch.Generator().manual_seed(2)
    energy = ENERGIES.build(form).double()
    u = 3 * torch.randn(1, 40000, generator=source, dtype=torch.float64)
    r = torch.randn(1, 40000, generator=source, dtype=torch.float64) * 3 + 1
    if energy.nonnegative_resistance:
        r = softplus(r)

    def logit_at(t: torch.Tensor) -> torch.Tensor:
        return energy(u, r, t.view(1, 1))[0].detach()

    drawn = torch.rand(40000, generator=source, dtype=torch.float64)
    labels = (drawn < torch.sigmoid(logit_at(torch.tensor(2.5, dtype=torch.float64)))).double()
    assert fit(logit_at, labels).item() == pytest.approx(2.5, rel=0.05)
    outside = fit(divided(logit_at(torch.ones((), dtype=torch.float64))), labels).item()
    if form in ("binding", "blocking"):
        assert abs(outside - 2.5) > 0.2, "the two ways of taking T differ here"


def test_fit_finds_the_lower_of_two_minima() -> None:
    """A loss with two wells in log T: the deeper one lies beyond a barrier from T = 1."""

    def logit_at(t: torch.Tensor) -> torch.Tensor:
        x = t.log()
        depth = 1.0 * torch.exp(-((x - 0.5) ** 2) / 0.1) + 1.5 * torch.exp(-((x + 3.0) ** 2) / 0.1)
        return torch.stack([depth, -depth])

    assert fit(logit_at, torch.tensor([1.0, 0.0])).log().item() == pytest.approx(-3.0, abs=1e-3)


def test_fit_at_the_edges() -> None:
    logits = torch.tensor([-2.0, -1.0, 1.0, 2.0])
    labels = torch.tensor([0.0, 0.0, 1.0, 1.0])
    assert fit(divided(logits), labels).item() == pytest.approx(0.01, rel=1e-3), "separated: the lower bound"
    inverted = fit(divided(logits), 1 - labels).item()
    assert inverted == pytest.approx(100.0, rel=1e-3), "inverted ranking: the upper bound"
    assert fit(divided(logits), torch.ones(4)).item() == 1.0, "one class says nothing"
    assert fit(divided(torch.zeros(4)), labels).item() == 1.0, "constant logits say nothing"
    assert fit(divided(torch.zeros(0)), torch.zeros(0)).item() == 1.0
    with pytest.raises(ValueError, match="not finite"):
        fit(divided(torch.tensor([float("nan"), 1.0])), torch.tensor([0.0, 1.0]))
    with pytest.raises(ValueError, match="differ in shape"):
        fit(divided(logits), labels[:3])


def test_fit_leaves_its_inputs_and_the_graph_alone() -> None:
    logits = torch.randn(50, requires_grad=True)
    labels = (torch.rand(50) < 0.5).float()
    before = logits.detach().clone()
    assert not fit(divided(logits), labels).requires_grad
    assert torch.equal(logits.detach(), before)
