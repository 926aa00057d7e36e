"""InfoNCE, CLUB and HSIC against what is known of Gaussians, and which way each gradient goes."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from analysis.independence import Independence, measure
from models.episode import Step
from models.losses import LOSSES
from models.losses.club import Club, club_bound, gaussian_nll
from models.losses.decoupling import Decoupling, unit_variance
from models.losses.hsic import Hsic
from models.losses.infonce import InfoNce, infonce_bound
from models.streams import initialise
from tests.models.steps import make_step

CRITICS = ("infonce", "club")


def gaussians(n: int, rho: float, d: int = 1, seed: int = 0) -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(seed)
    x, noise = torch.randn(2, n, d, generator=source, dtype=torch.float64)
    return x, rho * x + math.sqrt(1 - rho**2) * noise


def equal(n: int) -> Tensor:
    return torch.full((n,), 1 / n, dtype=torch.float64)


def information(rho: float, d: int = 1) -> float:
    return -d / 2 * math.log(1 - rho**2)


def log_ratio(x: Tensor, y: Tensor, rho: float) -> Tensor:
    """ln p(y_m | x_n) / p(y_m) [n, n]: the best critic there is."""
    v = 1 - rho**2
    every = (y - rho * x.unsqueeze(1)).square() / (-2 * v) + y.square() / 2 - math.log(v) / 2
    return every.sum(-1)


def built(key: str, features: int = 1, width: int = 1, bank: int = 0) -> Decoupling:
    term = LOSSES.build(key, features=features, width=width, bank=bank).double()
    initialise(term, 0)
    assert isinstance(term, Decoupling)
    return term


def value_of(term: Decoupling, x: Tensor, y: Tensor) -> Tensor:
    return term.dependence(x - x.mean(0), y - y.mean(0), equal(len(x)))


def trained(key: str, rho: float, steps: int, n: int = 128) -> tuple[Decoupling, list[float]]:
    """The term after its own parameters descended on its value, with fresh samples in every step."""
    term = built(key)
    optimiser = torch.optim.Adam(term.parameters(), lr=0.01, fused=True)
    values = []
    for step in range(steps):
        value = value_of(term, *gaussians(n, rho, seed=step))
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        values.append(value.item())
    return term, values


def held_out(term: Decoupling, rho: float, n: int = 128, batches: int = 30) -> tuple[float, float]:
    """Mean value on samples that the critic never saw, and its standard error."""
    with torch.no_grad():
        values = [value_of(term, *gaussians(n, rho, seed=10_000 + k)).item() for k in range(batches)]
    return float(np.mean(values)), float(np.std(values) / math.sqrt(batches))


@pytest.mark.parametrize(("rho", "d"), [(0.3, 1), (0.8, 1), (0.95, 20)])
def test_infonce_is_at_most_the_information_and_ln_n(rho: float, d: int) -> None:
    n = 64
    values = torch.stack(
        [infonce_bound(log_ratio(*gaussians(n, rho, d, seed), rho), equal(n)) for seed in range(60)]
    )
    slack = 3 * values.std().item() / math.sqrt(60)
    assert values.max() <= math.log(n) + 1e-9, "the cap holds for every batch"
    assert values.mean() <= min(math.log(n), information(rho, d)) + slack
    # Small information is found whole; 23 nats do not fit under ln 64.
    assert values.mean() == pytest.approx(min(math.log(n), information(rho, d)), abs=0.01 + slack)


def test_infonce_ignores_weightless_samples_and_caps_at_entropy() -> None:
    scores = torch.eye(6, dtype=torch.float64) * 50
    weight = torch.tensor([0.5, 0.25, 0.25, 0, 0, 0], dtype=torch.float64)
    assert infonce_bound(scores, weight).item() == pytest.approx(1.5 * math.log(2))
    spoilt = scores.clone()
    spoilt[:, 3:] = 1e6
    assert infonce_bound(spoilt, weight).item() == pytest.approx(1.5 * math.log(2))
    # One environment: every sample has the same y, so that a row of scores is constant.
    assert infonce_bound(torch.randn(6, 1).expand(6, 6).double(), equal(6)).item() == pytest.approx(
        0, abs=1e-12
    )


def test_the_infonce_critic_climbs_to_the_information_at_most() -> None:
    rho = 0.8
    term, values = trained("infonce", rho, steps=120)
    mean, error = held_out(term, rho)
    assert abs(values[0]) < 0.05
    assert 0.85 * information(rho) < mean < information(rho) + 3 * error


def test_club_with_the_true_conditional_is_its_gaussian_value() -> None:
    for rho in (0.3, 0.6, 0.8):
        x, y = gaussians(40_000, rho, seed=1)
        x, y = (unit_variance(side - side.mean(0), equal(len(x))) for side in (x, y))
        log_variance = torch.full_like(x, math.log(1 - rho**2))
        value = club_bound(y, rho * x, log_variance, equal(len(x))).item()
        assert value == pytest.approx(rho**2 / (1 - rho**2), rel=0.05)
        assert value > information(rho)


def test_club_by_all_pairs_and_of_a_useless_conditional() -> None:
    x, y = gaussians(30, 0.5, d=2)
    y = y - y.mean(0)
    mean, log_variance = torch.sin(x), 0.3 * torch.cos(x)
    q = torch.distributions.Normal(mean.unsqueeze(1), (log_variance / 2).exp().unsqueeze(1))
    pairs = q.log_prob(y.unsqueeze(0)).sum(-1)
    wanted = pairs.diagonal().mean() - pairs.mean()
    assert club_bound(y, mean, log_variance, equal(30)).item() == pytest.approx(wanted.item())
    assert club_bound(y, 0 * mean, log_variance * 0 + 0.3, equal(30)).item() == pytest.approx(0, abs=1e-12)


def test_club_lies_above_the_information_once_fitted() -> None:
    rho = 0.6
    term, _ = trained("club", rho, steps=200)
    mean, error = held_out(term, rho)
    assert mean - 3 * error > information(rho)
    assert mean == pytest.approx(rho**2 / (1 - rho**2), rel=0.15)


def test_infonce_is_raised_by_its_critic_and_lowered_by_sides() -> None:
    term = built("infonce", features=3, width=2)
    assert isinstance(term, InfoNce)
    x, y = gaussians(20, 0.7, d=3)
    x, y = x.requires_grad_(), y[:, :2].clone().requires_grad_()
    apart = [unit_variance(s - s.mean(0), equal(20)) for s in (x, y)]
    plain = term.bound(apart[0], apart[1], equal(20))
    value = value_of(term, x, y)
    assert value.item() == pytest.approx(plain.item(), rel=1e-12)
    leaves = [x, y, *term.parameters()]
    signs = [1, 1, *[-1] * (len(leaves) - 2)]
    routed = torch.autograd.grad(value, leaves, retain_graph=True)
    straight = torch.autograd.grad(plain, leaves)
    for sign, found, wanted in zip(signs, routed, straight, strict=True):
        assert wanted.abs().sum() > 0
        torch.testing.assert_close(found, sign * wanted, rtol=1e-9, atol=1e-14)


def test_club_fits_its_conditional_and_lowers_both_sides() -> None:
    term = built("club", features=3, width=2)
    assert isinstance(term, Club)
    x, y = gaussians(20, 0.7, d=3)
    x, y = x.requires_grad_(), y[:, :2].clone().requires_grad_()
    routed = torch.autograd.grad(value_of(term, x, y), [x, y, *term.parameters()])
    a, b = (unit_variance(s - s.mean(0), equal(20)) for s in (x, y))
    bound = club_bound(b, *term.conditional(a), equal(20))
    sides = torch.autograd.grad(bound, [x, y], retain_graph=True)
    fit = torch.autograd.grad(gaussian_nll(b, *term.conditional(a), equal(20)), list(term.parameters()))
    for found, wanted in zip(routed, [*sides, *fit], strict=True):
        assert wanted.abs().sum() > 0
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-14)


def test_hsic_of_the_loss_is_the_definition() -> None:
    x, y = (side.numpy() for side in gaussians(25, 0.5, d=2))

    def kernel(side: np.ndarray) -> np.ndarray:
        square = ((side[:, None] - side) ** 2).sum(-1)
        return np.exp(-square / square.mean())

    h = np.eye(25) - 1 / 25
    k, m = (h @ kernel(side) @ h for side in (x, y))
    wanted = (k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum())
    assert value_of(built("hsic", 2, 2), *map(torch.from_numpy, (x, y))).item() == pytest.approx(wanted)


def test_hsic_sees_beyond_correlation_its_null_is_of_shuffles() -> None:
    x, _ = gaussians(100, 0.0)
    hsic, pearson = built("hsic"), built("pearson")
    assert isinstance(hsic, Hsic)
    source = torch.Generator().manual_seed(0)
    orders = [torch.randperm(100, generator=source) for _ in range(60)]
    independent = torch.randn(100, 1, generator=source, dtype=torch.float64)
    for y, outside in ((x.square(), True), (independent, False)):
        null = [value_of(hsic, x, y[order]).item() for order in orders]
        assert (value_of(hsic, x, y).item() > max(null)) is outside
    assert value_of(pearson, x, x.square()).item() < 0.1


@pytest.mark.parametrize("key", ["infonce", "club", "hsic"])
def test_a_constant_side_gives_finite_gradients_in_float32(key: str) -> None:
    term = built(key, features=5, width=3, bank=16).float()
    step = make_step()
    z_i = step.z_i.float().requires_grad_()
    z_e = torch.full((4, 3), 0.1, requires_grad=True)
    fields = {**vars(step), "z_i": z_i, "z_e": z_e}
    value, state = term(Step(**fields), term.initial_state())
    value, _ = term(Step(**fields), state)
    assert value.item() == pytest.approx(0, abs=1e-4)
    assert all(torch.isfinite(g).all() for g in torch.autograd.grad(value, [z_i, z_e]))


@pytest.mark.parametrize("key", ["infonce", "club", "hsic"])
def test_nan_in_what_is_read_is_nan_in_the_value(key: str) -> None:
    step = make_step()
    z_i = step.z_i.clone()
    z_i[0, 0, 0] = torch.nan
    term = built(key, features=5, width=3)
    assert torch.isnan(term(Step(**{**vars(step), "z_i": z_i}), term.initial_state())[0])


@pytest.mark.parametrize("key", ["infonce", "club", "hsic"])
def test_minimising_it_removes_what_another_estimator_sees(key: str) -> None:
    """z_I = s + A z_E loses A, with critic and sides trained in the same steps; distance correlation is the judge."""
    mixing = torch.tensor([[1.0, -0.6], [0.5, 1.0]], dtype=torch.float64, requires_grad=True)

    def sides(seed: int) -> tuple[Tensor, Tensor]:
        z_e, noise = gaussians(96, 0.0, d=2, seed=seed)
        return noise + z_e @ mixing, z_e

    def judged() -> Independence:
        x, y = (side.detach().numpy() for side in sides(10_000))
        return measure(x, y, estimator="distance")

    before = judged()
    term = built(key, features=2, width=2)
    own = [{"params": list(term.parameters()), "lr": 0.02}] if "A" in term.reach else []
    optimiser = torch.optim.Adam([{"params": [mixing], "lr": 0.02}, *own], fused=True)
    for step in range(100):
        optimiser.zero_grad()
        value_of(term, *sides(step)).backward()
        optimiser.step()
    after = judged()
    assert before.dependent
    assert before.value > 0.4
    assert after.value < 0.35 * before.value
    assert mixing.detach().norm() < 0.35, "of 1.6"
