"""Orthogonality, correlation and the adversary: known values, the bank, and which way the gradient goes."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.episode import Step
from models.losses import LOSSES, LossTerm
from models.losses.adversary import GradientReversal, reverse_gradient
from models.streams import initialise
from tests.models.steps import make_step
from tests.typed import grad


def double_state(term: LossTerm) -> dict[str, torch.Tensor]:
    return {k: v.double() if v.is_floating_point() else v for k, v in term.initial_state().items()}


def samples(step: Step) -> tuple[np.ndarray, np.ndarray]:
    z_e = step.z_e.unsqueeze(1).expand(-1, step.z_i.shape[1], -1)
    return step.z_i.flatten(0, 1).numpy(), z_e.flatten(0, 1).numpy()


def slow_pearson(x: np.ndarray, y: np.ndarray) -> float:
    d = x.shape[1]
    return float((np.corrcoef(x.T, y.T)[:d, d:] ** 2).mean())


def slow_orthogonal(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x - x.mean(0), y - y.mean(0)
    x, y = (m / np.linalg.norm(m, axis=1, keepdims=True) for m in (x, y))
    return float(((x @ x.T) * (y @ y.T)).mean())


SLOW = {"pearson": slow_pearson, "orthogonal": slow_orthogonal}


@pytest.mark.parametrize("key", SLOW)
def test_value_over_the_step_and_then_over_step_and_bank(key: str) -> None:
    term = LOSSES.build(key, features=5, width=3)
    first, second = make_step(seed=1, queries=7), make_step(seed=2, queries=7)
    value, state = term(first, double_state(term))
    assert value.item() == pytest.approx(SLOW[key](*samples(first)), rel=1e-5)
    value, _ = term(second, state)
    both = [np.concatenate(parts) for parts in zip(samples(first), samples(second), strict=True)]
    assert value.item() == pytest.approx(SLOW[key](*both), rel=1e-5)


@pytest.mark.parametrize("key", SLOW)
def test_the_bank_forgets(key: str) -> None:
    term = LOSSES.build(key, features=5, width=3, bank=28)
    steps = [make_step(seed=k, queries=7) for k in range(3)]
    state = double_state(term)
    for step in steps:
        value, state = term(step, state)
    both = [np.concatenate(parts) for parts in zip(samples(steps[1]), samples(steps[2]), strict=True)]
    assert value.item() == pytest.approx(SLOW[key](*both), rel=1e-5)


@pytest.mark.parametrize("key", SLOW)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10000), scale=st.floats(0.1, 10))
def test_value_lies_in_the_unit_interval_and_ignores_the_scale(key: str, seed: int, scale: float) -> None:
    term = LOSSES.build(key, features=5, width=3)
    step = make_step(seed=seed)
    value = term(step, double_state(term))[0].item()
    scaled = Step(**{**vars(step), "z_i": step.z_i * scale, "z_e": step.z_e + 3})
    assert 0 <= value <= 1
    assert term(scaled, double_state(term))[0].item() == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize("key", SLOW)
def test_a_copy_depends_wholly_and_a_crossed_design_not_at_all(key: str) -> None:
    term = LOSSES.build(key, features=1, width=1)
    z_e = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    copy = make_step(z_e=z_e, z_i=z_e.unsqueeze(1).expand(2, 4, 1))
    crossed = make_step(
        z_e=z_e, z_i=torch.tensor([-1.0, 1.0, -2.0, 2.0], dtype=torch.float64).expand(2, 4).unsqueeze(2)
    )
    assert term(copy, double_state(term))[0].item() == pytest.approx(1, rel=1e-6)
    assert term(crossed, double_state(term))[0].item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("key", SLOW)
def test_a_constant_side_gives_zero_and_a_finite_gradient(key: str) -> None:
    term = LOSSES.build(key, features=5, width=3)
    z_e = torch.ones(4, 3, dtype=torch.float64, requires_grad=True)
    z_i = torch.randn(4, 6, 5, dtype=torch.float64, requires_grad=True)
    value, _ = term(make_step(z_e=z_e, z_i=z_i), double_state(term))
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-12)
    assert torch.isfinite(grad(z_e)).all()
    assert torch.isfinite(grad(z_i)).all()


@pytest.mark.parametrize("key", SLOW)
def test_minimising_it_decouples(key: str) -> None:
    step = make_step(seed=4, queries=8)
    z_i = (step.z_i + step.z_e.unsqueeze(1) @ torch.ones(3, 5, dtype=torch.float64)).requires_grad_()
    term = LOSSES.build(key, features=5, width=3, bank=0, reach="both")
    optimiser = torch.optim.Adam([z_i], lr=0.05, fused=True)
    values = []
    for _ in range(60):
        value, _ = term(Step(**{**vars(step), "z_i": z_i}), double_state(term))
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        values.append(value.item())
    assert values[0] > 0.05
    assert values[-1] < 0.05 * values[0]


@pytest.mark.parametrize("key", SLOW)
def test_reach_is_what_the_configuration_says(key: str) -> None:
    assert LOSSES.build(key, features=2, width=2).reach == {"E", "T"}
    assert LOSSES.build(key, features=2, width=2, reach="both").reach == {"E", "T", "S"}
    with pytest.raises(ValueError, match="neither"):
        LOSSES.build(key, features=2, width=2, reach="sequence")


def test_reversal_is_exact_forward_and_minus_one_backward() -> None:
    x = torch.tensor([1e-30, 0.1, -3.7, 1e30], requires_grad=True)
    y = reverse_gradient(x)
    assert torch.equal(y, x)
    y.sum().backward()
    assert grad(x).tolist() == [-1.0] * 4


def test_adversary_gradients_oppose_on_features_and_classifier() -> None:
    term = GradientReversal(cell_lines=3, features=5).double()
    initialise(term, 0)
    z_i = torch.randn(3, 6, 5, dtype=torch.float64, requires_grad=True)
    step = make_step(z_i=z_i)
    parameters = list(term.parameters())
    value, state = term(step, {})
    reversed_, *own = torch.autograd.grad(value, [z_i, *parameters])
    plain = torch.nn.functional.cross_entropy(
        term.classifier(z_i).flatten(0, 1), step.query_cell.flatten(), reduction="mean"
    )
    straight, *wanted = torch.autograd.grad(plain, [z_i, *parameters])
    assert value.item() == pytest.approx(plain.item(), rel=1e-12)
    assert state == {}
    assert torch.allclose(reversed_, -straight, rtol=1e-9, atol=1e-15)
    assert all(torch.allclose(a, b, rtol=1e-9, atol=1e-15) for a, b in zip(own, wanted, strict=True))
    assert term.reach == {"S", "A"}


def test_adversary_ignores_queries_of_no_training_cell_line() -> None:
    term = GradientReversal(cell_lines=3, features=5).double()
    step = make_step(episodes=2)
    unknown = torch.tensor([[0] * 6, [-1] * 6])
    value, _ = term(Step(**{**vars(step), "query_cell": unknown}), {})
    alone, _ = term(Step(**{**vars(step), "z_i": step.z_i[:1], "query_cell": unknown[:1]}), {})
    assert value.item() == pytest.approx(alone.item(), rel=1e-12)
    assert term(Step(**{**vars(step), "query_cell": torch.full((2, 6), -1)}), {})[0].item() == 0.0


def test_the_adversary_alone_finds_the_cell_line_together_hides() -> None:
    term = LOSSES.build("grl", cell_lines=2, features=4)
    initialise(term, 0)
    source = torch.Generator().manual_seed(0)
    z_i = torch.randn(2, 32, 4, generator=source)
    z_i[0, :, 0] += 3
    step = make_step(z_i=z_i)
    optimiser = torch.optim.Adam(term.parameters(), lr=0.02, fused=True)
    for _ in range(80):
        optimiser.zero_grad()
        value, _ = term(step, {})
        value.backward()
        optimiser.step()
    assert value.item() < 0.3 * math.log(2)
    moved = z_i.clone().requires_grad_()
    value, _ = term(Step(**{**vars(step), "z_i": moved}), {})
    (gradient,) = torch.autograd.grad(value, moved)
    after, _ = term(Step(**{**vars(step), "z_i": moved.detach() - 20 * gradient}), {})
    assert after.item() > value.item(), "descending on the routed gradient makes the cell line harder to tell"
