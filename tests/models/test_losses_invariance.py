"""irm on a linear model, both adversaries on data made for them, and the information bottleneck."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from models.episode import Step
from models.losses import LOSSES
from models.losses.conditional_adversary import ConditionalReversal
from models.sequence.bottleneck import FIRST_SIGMA, LEAST_SIGMA, InformationBottleneck
from models.streams import SeededNoise, initialise
from tests.models.steps import make_step


def irm_step(logit: Tensor, label: Tensor, cell: Tensor | None = None) -> Step:
    step = make_step(logit=logit)
    cell = step.query_cell if cell is None else cell
    return Step(**{**vars(step), "logit": logit, "label": label, "query_cell": cell})


def test_irm_is_the_analytic_penalty_of_a_linear_model() -> None:
    source = torch.Generator().manual_seed(0)
    x = torch.randn(3, 40, 2, generator=source, dtype=torch.float64)
    label = (x[..., 0] + torch.randn(3, 40, generator=source) > 0).double()
    beta = torch.tensor([1.3, -0.4], dtype=torch.float64, requires_grad=True)
    logit = x @ beta
    value, state = LOSSES.build("irm", cell_lines=3)(irm_step(logit, label), {})
    # d/dw of the risk of l = w beta'x at w = 1: mean (sigmoid(l) - y) l, and of its square by beta the chain rule.
    p = torch.sigmoid(logit).detach()
    slope = ((p - label) * logit.detach()).mean(1)
    assert state == {}
    assert value.item() == pytest.approx((slope**2).mean().item(), rel=1e-12)
    by_beta = ((p * (1 - p) * logit.detach() + p - label).unsqueeze(-1) * x).mean(1)
    wanted = (2 * slope.unsqueeze(1) * by_beta).mean(0)
    (found,) = torch.autograd.grad(value, beta)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-14)


def test_irm_is_the_squared_derivative_by_a_scale_per_cell_line() -> None:
    step = make_step(episodes=4, queries=30, seed=3)
    cell = torch.randint(-1, 3, (4, 30), generator=torch.Generator().manual_seed(1))
    value, _ = LOSSES.build("irm", cell_lines=5)(irm_step(step.logit, step.label, cell), {})
    penalties = []
    for line in range(3):
        w = torch.ones((), dtype=torch.float64, requires_grad=True)
        mine = cell == line
        risk = binary_cross_entropy_with_logits(w * step.logit[mine], step.label[mine])
        penalties.append(torch.autograd.grad(risk, w)[0].item() ** 2)
    assert value.item() == pytest.approx(sum(penalties) / 3, rel=1e-10)
    nobody = torch.full((4, 30), -1)
    assert LOSSES.build("irm", cell_lines=5)(irm_step(step.logit, step.label, nobody), {})[0].item() == 0.0


def test_irm_prefers_the_feature_whose_meaning_does_not_change() -> None:
    """Cell lines agree on x and contradict each other on s: at its best scale, x costs nothing and s does."""
    source = torch.Generator().manual_seed(0)
    label = (torch.rand(2, 2000, generator=source) < 0.5).double()
    sign = 2 * label - 1
    flips = (
        torch.rand(2, 2, 2000, generator=source) < torch.tensor([[0.25, 0.25], [0.1, 0.4]])[..., None]
    ).double()
    x, s = (sign * (1 - 2 * flip) for flip in flips)
    invariant, spurious = (
        LOSSES.build("irm", cell_lines=2)(irm_step(feature * math.log((1 - q) / q), label), {})[0].item()
        for feature, q in ((x, 0.25), (s, 0.25))
    )
    assert invariant < 0.002
    assert spurious > 10 * invariant


CELLS, QUERIES, FEATURES = 3, 64, 4


def domain_data(shares: tuple[float, float, float], seed: int) -> tuple[Tensor, Tensor]:
    """x [C, Q, 4], y [C, Q]: x_0 tells the cell line, x_1 the label, the others nothing."""
    source = torch.Generator().manual_seed(seed)
    y = (torch.rand(CELLS, QUERIES, generator=source) < torch.tensor(shares).unsqueeze(1)).float()
    x = torch.randn(CELLS, QUERIES, FEATURES, generator=source)
    x[..., 0] += torch.tensor([-2.5, 0.0, 2.5]).unsqueeze(1)
    x[..., 1] += 4 * y - 2
    return x, y


def as_step(z: Tensor, y: Tensor) -> Step:
    return Step(**{**vars(make_step(z_i=z)), "z_i": z, "label": y})


def trained_against(key: str | None, shares: tuple[float, float, float]) -> tuple[nn.Linear, float]:
    """A linear encoder trained for the label and, with weight 2, against the adversary `key`; and its task loss."""
    torch.manual_seed(0)
    encoder, head = nn.Linear(FEATURES, 3), nn.Linear(3, 1)
    adversary = None if key is None else LOSSES.build(key, cell_lines=CELLS, features=3)
    own: list[nn.Parameter] = []
    if adversary is not None:
        initialise(adversary, 0)
        own = list(adversary.parameters())
    optimiser = torch.optim.Adam(
        [{"params": [*encoder.parameters(), *head.parameters()], "lr": 0.01}, {"params": own, "lr": 0.03}],
        fused=True,
    )
    task = 0.0
    for step in range(250):
        x, y = domain_data(shares, step % 20)
        z = encoder(x)
        loss = binary_cross_entropy_with_logits(head(z).squeeze(-1), y)
        task = 0.95 * task + 0.05 * loss.item()
        if adversary is not None:
            loss = loss + 2.0 * adversary(as_step(z, y), {})[0]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return encoder, task / (1 - 0.95**250)


def excess(encoder: nn.Linear, shares: tuple[float, float, float], *, given_label: bool) -> float:
    """Nats by which a fresh classifier on the finished z beats what is known of the cell line without z."""
    torch.manual_seed(1)
    x, y = (
        torch.cat(parts, 1) for parts in zip(*(domain_data(shares, 50 + k) for k in range(4)), strict=True)
    )
    with torch.no_grad():
        z = encoder(x).flatten(0, 1)
        z = (z - z.mean(0)) / (z.std(0) + 1e-6)
    cell, y = torch.arange(CELLS).repeat_interleave(4 * QUERIES), y.flatten()
    inputs = torch.cat([z, y.unsqueeze(1)], 1) if given_label else z
    known = torch.nn.functional.one_hot((y * given_label).long(), 2).float()
    joint = torch.stack([known[cell == line].mean(0) for line in range(CELLS)]) / CELLS
    entropy = -(joint * (joint / joint.sum(0).clamp(min=1e-9)).clamp(min=1e-9).log()).sum().item()
    classifier = nn.Sequential(nn.Linear(inputs.shape[1], 16), nn.ReLU(), nn.Linear(16, CELLS))
    optimiser = torch.optim.Adam(classifier.parameters(), lr=0.02, fused=True)
    for _ in range(150):
        loss = cross_entropy(classifier(inputs), cell)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return entropy - loss.item()


EVEN, UNEVEN = (0.5, 0.5, 0.5), (0.1, 0.5, 0.9)


def test_grl_drives_a_fresh_classifier_to_chance() -> None:
    plain, _ = trained_against(None, EVEN)
    hidden, task = trained_against("grl", EVEN)
    assert excess(plain, EVEN, given_label=False) > 0.2
    assert excess(hidden, EVEN, given_label=False) < 0.06
    assert task < 0.25, "the label is still there"


def test_only_the_conditional_adversary_keeps_an_uneven_label() -> None:
    hidden, task = trained_against("conditional_grl", UNEVEN)
    _, blunt = trained_against("grl", UNEVEN)
    assert excess(hidden, UNEVEN, given_label=True) < 0.06, "nothing of the cell line beyond the label"
    assert excess(hidden, UNEVEN, given_label=False) > 0.2, "and the label itself tells"
    assert task < 0.25
    assert blunt > 1.5 * task


def test_the_conditional_adversary_reverses_one_layer_per_label() -> None:
    term = ConditionalReversal(cell_lines=3, features=5).double()
    initialise(term, 0)
    step = make_step(episodes=3)
    z_i = step.z_i.clone().requires_grad_()
    value, _ = term(Step(**{**vars(step), "z_i": z_i}), {})
    scores = torch.where(
        step.label.unsqueeze(-1) > 0.5, term.positive(term.trunk(z_i)), term.negative(term.trunk(z_i))
    )
    plain = cross_entropy(scores.flatten(0, 1), step.query_cell.flatten())
    assert value.item() == pytest.approx(plain.item(), rel=1e-12)
    leaves = [z_i, *term.parameters()]
    routed, straight = torch.autograd.grad(value, leaves), torch.autograd.grad(plain, leaves)
    for sign, found, wanted in zip([-1, *[1] * len(routed)], routed, straight, strict=False):
        torch.testing.assert_close(found, sign * wanted, rtol=1e-9, atol=1e-14)


def bottleneck(width: int = 6) -> InformationBottleneck:
    module = InformationBottleneck(width).double()
    initialise(module, 0)
    return module


def test_the_price_is_the_divergence_from_the_standard_normal() -> None:
    module = bottleneck()
    h = torch.randn(7, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    z, kl = module(h)
    q = torch.distributions.Normal(h, module.spread(h))
    wanted = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(-1)
    torch.testing.assert_close(kl, wanted)
    assert torch.equal(z, h), "evaluation takes the mean"
    assert module.spread(torch.zeros(1, 6).double()).mean().item() == pytest.approx(FIRST_SIGMA)
    step = make_step(seed=1)
    assert LOSSES.build("vib")(step, {})[0].item() == pytest.approx(step.kl.mean().item())
    with pytest.raises(ValueError, match="has no kl: that needs an information bottleneck"):
        LOSSES.build("vib")(make_step(kl=None), {})


def test_training_draws_around_the_mean_from_the_named_stream() -> None:
    module = bottleneck()
    h = torch.zeros(4000, 6, dtype=torch.float64)
    z, _ = module(h, SeededNoise(1, step=2))
    assert torch.equal(z, module(h, SeededNoise(1, step=2))[0])
    assert not torch.equal(z, module(h, SeededNoise(1, step=3))[0])
    torch.testing.assert_close(z.std(0), module.spread(h)[0], rtol=0.05, atol=0)
    assert z.mean().abs() < 0.01
    with pytest.raises(RuntimeError, match="name_streams"):
        InformationBottleneck(6)(torch.zeros(1, 6), SeededNoise(0, 0))


def test_the_price_is_finite_and_float32_under_autocast() -> None:
    module = bottleneck().float()
    h = torch.randn(3, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z, kl = module((1e3 * h).bfloat16())
    assert z.dtype == kl.dtype == torch.float32
    assert torch.isfinite(kl).all()
    assert (kl > 0).all()
    torch.testing.assert_close(kl, module((1e3 * h).bfloat16().float())[1])
    assert module.spread(torch.full((1, 6), -1e6)).min() >= LEAST_SIGMA
