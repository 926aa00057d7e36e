"""IMMAX, cross entropy, speculation: closed forms, bounds, and batches of one class."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import softplus

from models.losses import LOSSES
from tests.models.steps import make_step
from tests.typed import grad

LOGITS = st.lists(st.floats(-50, 50, allow_nan=False), min_size=1, max_size=12)


def immax(logit: list[float], label: list[float], a: float, **arguments: float) -> tuple[torch.Tensor, float]:
    step = make_step(
        logit=torch.tensor([logit], dtype=torch.float64), label=torch.tensor([label], dtype=torch.float64)
    )
    value, state = LOSSES.build("immax", **arguments)(step, {"a": torch.tensor(a, dtype=torch.float64)})
    return value, state["a"].item()


def test_immax_at_one_half_is_the_class_balanced_logistic_loss() -> None:
    step = make_step(queries=20, seed=3)
    value, _ = LOSSES.build("immax")(step, {"a": torch.tensor(0.5, dtype=torch.float64)})
    positive = step.label > 0.5
    wanted = (softplus(-step.logit[positive]).mean() + softplus(step.logit[~positive]).mean()) / 2
    assert value.item() == pytest.approx(wanted.item(), rel=1e-12)


def test_immax_by_hand() -> None:
    value, a = immax([1.0, -2.0, 0.5], [1, 0, 0], a=0.25)
    # scaled margins: positive 1/(0.5) = 2; negatives 2/1.5 and -0.5/1.5
    u_pos, u_neg = 2.0, [2 / 1.5, -0.5 / 1.5]
    wanted = 0.5 * (math.log1p(math.exp(-u_pos)) + sum(math.log1p(math.exp(-u)) for u in u_neg) / 2)
    assert value.item() == pytest.approx(wanted, rel=1e-12)
    slope_pos = abs(u_pos) / (1 + math.exp(u_pos))
    slope_neg = sum(abs(u) / (1 + math.exp(u)) for u in u_neg) / 2
    target = math.sqrt(slope_pos) / (math.sqrt(slope_pos) + math.sqrt(slope_neg))
    assert a == pytest.approx(0.9 * 0.25 + 0.1 * target, rel=1e-12)


@settings(max_examples=200, deadline=None)
@given(logit=LOGITS, seed=st.integers(0, 2**16), a=st.floats(0.05, 0.95))
def test_immax_is_never_negative_and_a_stays_in_its_range(logit: list[float], seed: int, a: float) -> None:
    source = torch.Generator().manual_seed(seed)
    label = (torch.rand(len(logit), generator=source) < 0.5).double().tolist()
    value, moved = immax(logit, label, a)
    assert value.item() >= 0
    assert math.isfinite(value.item())
    assert 0.05 <= moved <= 0.95


def test_immax_a_is_kept_within_its_bounds() -> None:
    # Positives far on the wrong side, negatives settled: the target is nearly 1.
    _, a = immax([-30.0, -40.0], [1, 0], a=0.9, momentum=0.0)
    assert a == 0.95
    _, a = immax([40.0, 30.0], [1, 0], a=0.1, momentum=0.0)
    assert a == 0.05


@pytest.mark.parametrize(("label", "sign"), [(1.0, -1), (0.0, 1)])
def test_immax_of_a_one_class_batch_leaves_a_alone(label: float, sign: int) -> None:
    value, a = immax([0.7, -1.2], [label, label], a=0.4)
    scale = 2 * (0.4 if label else 0.6)
    wanted = sum(math.log1p(math.exp(sign * logit / scale)) for logit in (0.7, -1.2)) / 2 / 2
    assert value.item() == pytest.approx(wanted, rel=1e-12)
    assert a == 0.4


def test_immax_of_equal_logits_at_zero_leaves_a_alone() -> None:
    value, a = immax([0.0, 0.0], [1, 0], a=0.3)
    assert a == 0.3
    assert value.item() == pytest.approx(math.log(2))


def test_immax_has_no_gradient_through_a() -> None:
    logit = torch.randn(2, 5, dtype=torch.float64, requires_grad=True)
    a = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    value, state = LOSSES.build("immax")(make_step(logit=logit), {"a": a})
    assert torch.autograd.grad(value, [logit, a], allow_unused=True)[1] is None
    assert not state["a"].requires_grad


def test_cross_entropy_is_torch_s() -> None:
    step = make_step(queries=9)
    value, state = LOSSES.build("bce")(step, {})
    wanted = torch.nn.functional.binary_cross_entropy_with_logits(step.logit, step.label)
    assert value.item() == pytest.approx(wanted.item(), rel=1e-12)
    assert state == {}


def test_saturated_logits_stay_finite() -> None:
    for key in ("immax", "bce"):
        term = LOSSES.build(key)
        logit = torch.tensor([[1e4, -1e4]], requires_grad=True)
        value, _ = term(make_step(logit=logit, label=torch.tensor([[0.0, 1.0]])), term.initial_state())
        value.backward()
        assert torch.isfinite(value)
        assert torch.isfinite(grad(logit)).all()


def test_speculation_by_hand() -> None:
    step = make_step(logit=torch.tensor([[2.0, -1.0, 0.0, 3.0]]), label=torch.tensor([[0.0, 0.0, 1.0, 1.0]]))
    value, _ = LOSSES.build("speculation", margin=0.5, prior=2.0)(step, {})
    mean = sum(1 / (1 + math.exp(-x)) for x in (2.0, -1.0, 0.0, 3.0)) / 4
    assert value.item() == pytest.approx(1.5**2 / 2 + 2.0 * (mean - 0.5) ** 2, rel=1e-6)


def test_speculation_moves_confident_negatives_only() -> None:
    logit = torch.tensor([[2.0, -1.0, 3.0]], requires_grad=True)
    step = make_step(logit=logit, label=torch.tensor([[0.0, 0.0, 1.0]]))
    value, _ = LOSSES.build("speculation", prior=0.0)(step, {})
    value.backward()
    assert grad(logit).tolist() == [[2.0, 0.0, 0.0]]


def test_speculation_of_positives_alone_has_no_hinge() -> None:
    step = make_step(logit=torch.tensor([[5.0, 5.0]]), label=torch.ones(1, 2))
    value, _ = LOSSES.build("speculation", prior=0.0)(step, {})
    assert value.item() == 0.0
