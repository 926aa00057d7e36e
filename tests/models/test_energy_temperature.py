"""Temperatures: exactly 1 at the start, and the calibration that finds the T that was planted."""

import pytest
import torch
from scipy.optimize import minimize_scalar
from torch.nn.functional import softplus

from models.energy import TEMPERATURES, fit
from models.streams import initialise

ARGUMENTS = {"fixed": {}, "learned": {}, "per_cell": {"width": 4}, "calibrated": {}}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("mode", TEMPERATURES.keys())
def test_temperature_is_exactly_one_at_initialisation(mode: str, dtype: torch.dtype) -> None:
    temperature = TEMPERATURES.build(mode, **ARGUMENTS[mode]).to(dtype)
    initialise(temperature, seed=5)
    value = temperature(torch.randn(3, 4, dtype=dtype), 3)
    assert value.shape == (3, 1) and value.dtype == dtype
    assert torch.equal(value, torch.ones(3, 1, dtype=dtype))


def test_fixed_temperature_is_the_configured_value() -> None:
    assert TEMPERATURES.build("fixed", value=2.5)(None, 2).tolist() == [[2.5], [2.5]]
    with pytest.raises(ValueError, match="not positive"):
        TEMPERATURES.build("fixed", value=0.0)


def test_learned_temperature_stays_positive_and_learns() -> None:
    temperature = TEMPERATURES.build("learned").double()
    temperature(None, 2).sum().backward()
    # d softplus / dt at softplus(t) = 1 is 1 - exp(-1); two episodes
    assert temperature.t.grad.item() == pytest.approx(
        2 * (1 - torch.exp(torch.tensor(-1.0)).item()), rel=1e-6
    )
    torch.nn.init.constant_(temperature.t, -30.0)
    assert temperature(None, 1).item() > 0


def test_per_cell_temperature_is_softplus_of_a_linear_map() -> None:
    temperature = TEMPERATURES.build("per_cell", width=2).double()
    with torch.no_grad():
        temperature.v.copy_(torch.tensor([1.0, -2.0]))
        temperature.t.fill_(0.5)
    z_e = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    wanted = softplus(torch.tensor([[1.5], [-1.5]], dtype=torch.float64))
    assert torch.allclose(temperature(z_e, 2), wanted)
    with pytest.raises(ValueError, match="needs z_E"):
        temperature(None, 2)


def nll(logits: torch.Tensor, labels: torch.Tensor, t: float) -> float:
    return softplus(torch.where(labels > 0.5, -logits, logits) / t).mean().item()


@pytest.mark.parametrize("planted", [0.3, 1.0, 4.0])
def test_fit_finds_the_planted_temperature_and_the_minimum(planted: float) -> None:
    source = torch.Generator().manual_seed(1)
    true = 2 * torch.randn(20000, generator=source, dtype=torch.float64)
    labels = (torch.rand(20000, generator=source, dtype=torch.float64) < torch.sigmoid(true)).double()
    logits = planted * true
    found = fit(logits, labels).item()
    assert found == pytest.approx(planted, rel=0.05)
    best = minimize_scalar(lambda t: nll(logits, labels, t), bounds=(0.05, 20), method="bounded")
    assert nll(logits, labels, found) <= best.fun + 1e-10


def test_fit_at_the_edges() -> None:
    logits = torch.tensor([-2.0, -1.0, 1.0, 2.0])
    labels = torch.tensor([0.0, 0.0, 1.0, 1.0])
    assert fit(logits, labels).item() == pytest.approx(0.01, rel=1e-3), "separated pairs: the lower bound"
    assert fit(logits, 1 - labels).item() == pytest.approx(100.0, rel=1e-3), (
        "inverted ranking: the upper bound"
    )
    assert fit(logits, torch.ones(4)).item() == 1.0, "one class says nothing"
    assert fit(torch.zeros(4), labels).item() == 1.0, "constant logits say nothing"
    assert fit(torch.zeros(0), torch.zeros(0)).item() == 1.0
    with pytest.raises(ValueError, match="not finite"):
        fit(torch.tensor([float("nan"), 1.0]), torch.tensor([0.0, 1.0]))
    with pytest.raises(ValueError, match="differ in shape"):
        fit(logits, labels[:3])


def test_fit_leaves_its_inputs_and_the_graph_alone() -> None:
    logits = torch.randn(50, requires_grad=True)
    labels = (torch.rand(50) < 0.5).float()
    before = logits.detach().clone()
    assert not fit(logits, labels).requires_grad
    assert torch.equal(logits.detach(), before)


def test_per_cell_temperature_runs_under_vmap() -> None:
    members = [TEMPERATURES.build("per_cell", width=3) for _ in range(2)]
    for k, member in enumerate(members):
        torch.nn.init.constant_(member.v, 0.1 + k)
    stacked, _ = torch.func.stack_module_state(members)
    z_e = torch.randn(2, 4, 3)
    together = torch.func.vmap(lambda state, z: torch.func.functional_call(members[0], state, (z, 4)))(
        stacked, z_e
    )
    assert torch.allclose(together, torch.stack([m(z_e[k], 4) for k, m in enumerate(members)]))
