"""Boosted gate, threshold gate, blocking and binding against hand-computed and high-precision numbers."""

import math
from decimal import Decimal, localcontext

import pytest
import torch

from models.energy import ENERGIES
from models.energy.gates import BoostedGateEnergy, ThresholdGateEnergy
from models.environment.abundance import AbundanceHead, AbundanceResistance, log_softplus
from models.environment.resistance import Reference
from models.streams import initialise
from tests.typed import as_a, grad

ONE = torch.ones(1, 1, dtype=torch.float64)


def tensor(*rows: list[float]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def test_boosted_gate_by_hand() -> None:
    energy = BoostedGateEnergy(a=0.5)
    u = math.atanh(0.6)
    logit = energy(tensor([u, -u]), tensor([math.log(3.0)]), tensor([2.0]))
    # tanh(u) = 0.6, sigmoid(ln 3) = 3/4: u (1 +- 0.5 * 0.6 * 0.75) / 2
    assert torch.allclose(logit, tensor([u * 1.225 / 2, -u * 0.775 / 2]), rtol=0, atol=1e-15)
    assert energy.gate(tensor([math.log(3.0)])).item() == pytest.approx(0.75)


def test_the_boosted_gates_bound_is_the_root_of_its_derivation() -> None:
    low, high = 1.0, 2.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if middle * math.tanh(middle) < 1 else (low, middle)
    x = low
    assert pytest.approx(1 / x, abs=1e-15) == BoostedGateEnergy.BOUND
    assert math.tanh(x) == pytest.approx(1 / x, abs=1e-15), "the bound is tanh x as well"
    for k, falls in ((BoostedGateEnergy.BOUND * 0.9999, False), (BoostedGateEnergy.BOUND * 1.0001, True)):
        slope = 1 + k * (math.tanh(-x) - x / math.cosh(x) ** 2)
        assert (slope < 0) == falls
        u = torch.linspace(-6, 6, 20001, dtype=torch.float64)
        logit = ENERGIES.build("boosted_gate", a=1.0)(u[None], tensor([math.log(k / (1 - k))]), ONE)
        assert bool((logit.diff() <= 0).any()) == falls


def test_the_boosted_gate_is_rank_invariant_up_to_its_bound() -> None:
    r_at_bound = math.log(BoostedGateEnergy.BOUND / (1 - BoostedGateEnergy.BOUND))
    flags = ENERGIES.build("boosted_gate", a=1.0).strictly_increasing(
        tensor([-9.0, r_at_bound - 1e-6, r_at_bound + 1e-6, 9.0])
    )
    assert flags.tolist() == [[True, True, False, False]]
    assert ENERGIES.build("boosted_gate", a=0.83).strictly_increasing(tensor([-9.0, 50.0])).all()


@pytest.mark.parametrize("form", ENERGIES.keys())
def test_a_form_whose_closed_gate_flattens_its_output_says_so(form: str) -> None:
    """The spread of the probabilities of standard normal potentials where R_E is lowest against where it is highest."""
    energy = ENERGIES.build(form).double()
    u = torch.special.ndtri((torch.arange(400, dtype=torch.float64) + 0.5) / 400)[None]
    low, high = (tensor([side]) for side in (-30.0, 30.0))
    gate = energy.gate(low)
    closed, opened = (torch.sigmoid(energy(u, r, ONE)).std() for r in (low, high))
    flat = gate is not None and gate.item() < 1e-9 and bool(closed < 0.2 * opened)
    assert energy.gate_closes == flat


@pytest.mark.parametrize("a", [-0.1, 1.1, math.nan])
def test_a_promotion_outside_its_range_is_refused(a: float) -> None:
    with pytest.raises(ValueError, match="not in \\[0, 1\\]"):
        ENERGIES.build("boosted_gate", a=a)


def test_threshold_gate_by_hand() -> None:
    energy = ThresholdGateEnergy(b=0.25, tau=0.5)
    r = tensor([0.6], [0.5], [-3.0])
    logit = energy(tensor([4.0, -2.0]).expand(3, 2), r, 2 * ONE)
    assert torch.equal(logit, tensor([2.0, -1.0], [0.5, -0.25], [0.5, -0.25]))
    assert energy.gate(r).flatten().tolist() == [1.0, 0.0, 0.0]
    assert energy.gate(tensor([math.nan])).isnan().all()
    with pytest.raises(ValueError, match="not positive"):
        ENERGIES.build("threshold_gate", b=0.0)


def test_threshold_gate_learns_straight_through() -> None:
    energy = ThresholdGateEnergy(b=0.25, tau=0.5)
    r = tensor([0.5 + math.log(3.0)]).requires_grad_()
    u = tensor([4.0, -2.0]).requires_grad_()
    (energy(u, r, 2 * ONE) * tensor([1.0, 3.0])).sum().backward()
    # s = 3/4: sum_q weight_q u_q (1 - b) s (1 - s) / T, and the hard gate for U_I
    assert grad(r).item() == pytest.approx((4.0 - 6.0) * 0.75 * 0.75 * 0.25 / 2, rel=1e-12)
    assert grad(u).tolist() == [[0.5, 1.5]]


def exact_blocking(g: float, v: float) -> Decimal:
    """log(P / (1 - P)), P = sigmoid(g) sigmoid(v), with 120 digits."""
    with localcontext() as context:
        context.prec = 120
        p = 1 / ((1 + Decimal(-g).exp()) * (1 + Decimal(-v).exp()))
        return (p / (1 - p)).ln()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_blocking_is_exact_at_any_size(dtype: torch.dtype) -> None:
    energy = ENERGIES.build("blocking", w=2.0).to(dtype)
    for r in (-40.0, -1.5, 0.25, 40.0):
        for u in (-80.0, -1.0, 0.0, 3.0, 80.0):
            leaf = torch.tensor([[u]], dtype=dtype, requires_grad=True)
            logit = energy(leaf, torch.tensor([[r]], dtype=dtype), torch.ones(1, 1, dtype=dtype))
            wanted = float(exact_blocking(2 * r, u))
            assert logit.item() == pytest.approx(wanted, rel=4 * torch.finfo(dtype).eps), (r, u)
            logit.backward()
            assert torch.isfinite(grad(leaf)).all()
            assert (grad(leaf) >= 0).all()


def test_blocking_heats_u_and_closes_where_gated_does_not() -> None:
    energy = ENERGIES.build("blocking", w=1.0).double()
    u, r = tensor([3.0, -3.0]), tensor([-20.0])
    half = energy(u, tensor([0.0]), 3 * ONE)
    assert torch.allclose(half.sigmoid(), 0.5 * torch.sigmoid(u / 3), rtol=1e-14)
    assert (energy(u, r, ONE) <= -20.0).all()
    assert (ENERGIES.build("gated").double()(u, r, ONE).abs() < 1e-8).all(), (
        "a closed gate of `gated` is P = 1/2"
    )


def test_log_softplus_keeps_its_accuracy_and_gradient() -> None:
    for x in (-80.0, -20.0, -15.001, -14.999, -1.0, 0.0, 5.0, 100.0):
        leaf = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        value = log_softplus(leaf)
        value.backward()
        with localcontext() as context:
            context.prec = 60
            soft = (1 + Decimal(x).exp()).ln()
            slope = 1 / (1 + Decimal(-x).exp()) / soft
        assert value.item() == pytest.approx(float(soft.ln()), rel=1e-9)
        assert grad(leaf).item() == pytest.approx(float(slope), rel=1e-6)
    assert log_softplus(torch.tensor(-80.0)).item() == -80.0


def test_binding_by_hand() -> None:
    head = AbundanceResistance(width=2, features=3, grid=1).double()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
        # One hidden unit of five acts: h = 0.5 cos(0) + 2 cos(pi tanh z_0) + sin(pi tanh z_1); raw = 3 SiLU(h) - 1.
        part = as_a(AbundanceHead, head.cell_part)
        part.cosine[0, 0] = torch.tensor([0.5, 2.0])
        part.sine[0, 1] = 1.0
        part.out.weight[0, 0] = 3.0
        part.out.bias.fill_(-1.0)
    z_e = tensor([math.atanh(1 / 3), math.atanh(0.5)])
    h = 0.5 + 2 * math.cos(math.pi / 3) + math.sin(math.pi / 2)
    abundance = math.log1p(math.exp(3 * h / (1 + math.exp(-h)) - 1))
    found = head(z_e, torch.zeros(1, 2, 3), Reference.initial(4, 2))
    assert found.r.shape == (1, 1)
    assert found.r.item() == pytest.approx(-math.log(abundance), rel=1e-12)
    logit = ENERGIES.build("binding")(tensor([1.2, -0.4]), found.r, tensor([2.0]))
    odds = logit.exp().flatten().tolist()
    assert odds == pytest.approx([abundance * math.exp(0.6), abundance * math.exp(-0.2)], rel=1e-12)


def test_binding_has_no_resistance_of_a_pair() -> None:
    with pytest.raises(ValueError, match="binding has no R_E\\(x, c\\)"):
        AbundanceResistance(width=2, features=3, scope="sample")


def test_every_parameter_of_the_abundance_moves_the_logit() -> None:
    head = AbundanceResistance(width=3, features=2).double()
    initialise(head, 0)
    z_e = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    r = head(z_e, torch.zeros(4, 5, 2), Reference.initial(4, 3)).r
    ENERGIES.build("binding")(torch.zeros(4, 5, dtype=torch.float64), r, torch.ones(4, 1)).sum().backward()
    assert all(grad(p).abs().sum() > 0 for p in head.parameters())
