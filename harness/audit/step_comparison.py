"""Where a real optimiser step is not the one that weights, schedule, gradients and AdamW give."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from harness.audit.reference_step import BETAS, Gradients, Moments, decayed, moved, remembered
from harness.trial.step.diverged import Diverged

GRADIENT = 1e-3
"""Largest difference from the expected gradient and its square, relative to the tensor's largest entry."""
ROUNDING = 2e-6
"""What float32 leaves of a running mean that is computed in another way, relative to the tensor's largest entry."""
NOISE = 1e-4
"""Entry of a gradient, relative to the largest of all tensors, up to which it may be rounding alone (a bias that a softmax
or a centring takes out again)."""
HALF, HALF_NOISE = 2.0**-4, 2.0**-5
"""The same two of the sequence side where it runs in bfloat16, whose gradient depends on the parts that it is computed
in: a rounding is 2^-9, and 0.03 and 0.01 were met."""
UPDATE, EPSILON = 1e-3, 4e-7
"""Largest norm of the difference from the expected next value, over that of the update and of the value."""


class StepDifference(NamedTuple):
    """A kind of fault, the parameter, and the fault in words, in which the parameter is "it"."""

    kind: str
    name: str
    text: str


def differences(
    before: Mapping[str, Moments],
    after: Mapping[str, Moments],
    gradients: Gradients,
    optimiser: Mapping[str, Any],
    *,
    exact: bool,
    half: bool,
) -> Iterator[StepDifference]:
    """Each parameter that is not where its gradient and AdamW with `optimiser` (lr, weight_decay) put it. `exact`: the
    gradient itself is judged too; otherwise (a balance that projects it) what the optimiser remembers of it is believed.
    `half`: the sequence side runs in bfloat16.

    Raises Diverged where something is not finite.
    """
    everywhere = max((_largest(gradient) for gradient in gradients.values()), default=0.0)
    for name, start in before.items():
        now, gradient = after[name], gradients.get(name)
        if not all(math.isfinite(float(part.double().abs().sum())) for part in now[:3]):
            raise Diverged(f"{name} or what the optimiser remembers of it is not finite")
        if gradient is None:
            if not torch.equal(now.value, start.value):
                yield StepDifference("moved", name, "it moved, and no loss term in force reaches it")
            continue
        if now.steps != start.steps + 1:
            text = f"it never moved: the optimiser took {now.steps - start.steps} steps on it in place of one"
            yield StepDifference("rests", name, text)
            continue
        rounding = (HALF, HALF_NOISE) if half and name.startswith("sequence.") else (GRADIENT, NOISE)
        if exact and (text := _other_gradient(start, now, gradient, everywhere, *rounding)):
            yield StepDifference("gradient", name, text)
            continue
        expected = moved(start, now, optimiser)
        step = float((expected - start.value.double()).norm())
        allowed = UPDATE * float((expected - decayed(start.value, optimiser)).norm())
        allowed += EPSILON * float(start.value.double().norm())
        gap = float((now.value.double() - expected).norm())
        if torch.equal(now.value, start.value) and step > allowed:
            text = f"it never moved, where AdamW moves it by {step:.3g}"
            yield StepDifference("rests", name, text)
        elif gap > allowed:
            real = float((now.value.double() - start.value.double()).norm())
            text = (
                f"it moved by {real:.4g}, where AdamW as configured moves it by {step:.4g} ({gap:.2g} apart)"
            )
            yield StepDifference("update", name, text)


def displacement(
    before: Mapping[str, Moments],
    after: Mapping[str, Moments],
    gradients: Gradients,
    optimiser: Mapping[str, Any],
) -> float | None:
    """Cosine of the step, less weight decay, with minus the combined gradient: 0 for no step, None for no gradient."""
    inner, step, slope = 0.0, 0.0, 0.0
    for name, gradient in gradients.items():
        change = after[name].value.double() - decayed(before[name].value, optimiser)
        inner -= float((change * gradient).sum())
        step += float(change.square().sum())
        slope += float(gradient.square().sum())
    return _cosine(inner, step, slope)


def believed(
    before: Mapping[str, Moments], after: Mapping[str, Moments], gradients: Gradients
) -> float | None:
    """Cosine of the expected gradient with the one that the optimiser's running mean tells of; None for no gradient."""
    one = BETAS[0]
    inner, real, expected = 0.0, 0.0, 0.0
    for name, gradient in gradients.items():
        told = (after[name].mean.double() - one * before[name].mean.double()) / (1 - one)
        inner += float((told * gradient).sum())
        real += float(told.square().sum())
        expected += float(gradient.square().sum())
    return _cosine(inner, real, expected)


def _cosine(inner: float, step: float, slope: float) -> float | None:
    """Of an inner product and two squares, of which the second is the gradient's."""
    if slope == 0.0:
        return None
    return inner / math.sqrt(step * slope) if step > 0.0 else 0.0


def _other_gradient(
    before: Moments, now: Moments, gradient: Tensor, everywhere: float, relative: float, noise: float
) -> str:
    """The gradient that the optimiser got in place of the expected one, in words; empty where it is that one. everywhere:
    largest entry of any gradient; relative, noise: what rounding may make of the tensor's own and of that."""
    expected = remembered(before, gradient)
    rest = noise * everywhere
    sizes = (relative * _largest(gradient) + rest, relative * _largest(gradient.square()) + rest**2)
    for part, beta, size in zip(("mean", "square"), BETAS, sizes, strict=True):
        wished, real = getattr(expected, part), getattr(now, part).double()
        allowed = (1 - beta) * size + ROUNDING * _largest(wished)
        if _largest(real - wished) > allowed:
            told = (now.mean.double() - BETAS[0] * before.mean.double()) / (1 - BETAS[0])
            product = float(told.norm() * gradient.norm())
            cosine = float((told * gradient).sum()) / product if product > 0 else 0.0
            return (
                f"it got a gradient of norm {float(told.norm()):.4g}, where weight x schedule x gradient of its terms, "
                f"clipped, has {float(gradient.norm()):.4g} (cosine {cosine:.3g})"
            )
    return ""


def _largest(x: Tensor) -> float:
    return float(x.abs().max()) if x.numel() else 0.0
