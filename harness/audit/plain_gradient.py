"""The gradient of a loss term on what it reads of a step, against that of the plain scalars that it declares."""

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

import torch
from torch import Tensor

from harness.trial.step.diverged import Diverged
from models.episode import Step
from models.losses.term import LossTerm, State

TOLERANCE = 1e-3
"""Largest norm of the difference of two gradients, over the larger one."""
NOTHING = 1e-5
"""Norm of a gradient on what a term reads that is none."""
ALWAYS = frozenset(each.name for each in fields(Step) if each.default_factory is MISSING) | {"owner"}
"""What every step has."""


def other_gradient(term: LossTerm, step: Step, state: State) -> str:
    """Where the gradient of the term's value is another one than its `objectives` and `parts` give, in words; empty where
    it is theirs.

    On a copy in float64, on every tensor of the step that has a gradient, each a leaf of its own, and on the term's
    parameters: what a part's equation stops (sg) has a gradient of 0 there, whatever the routing lets through. Nothing is
    said of a term without plain scalars of its own. Raises Diverged where a gradient is not finite.
    """
    if type(term).parts is LossTerm.parts:
        return ""
    twin, held = copy.deepcopy(term).double(), {name: _double(value) for name, value in state.items()}
    cut, leaves = _cut(step, term.reads)
    inputs = leaves | {f"parameter {name}": parameter for name, parameter in twin.named_parameters()}
    with torch.enable_grad():
        real = _gradients(twin(cut, held)[0], inputs)
        scalars = twin.parts(cut, held)
        plain = {part: _gradients(scalar, inputs) for part, scalar in scalars.items()}
    for name, gradient in real.items():
        aims = [
            plain[part][name] if way == "down" else -plain[part][name]
            for (part, groups), (_, way) in term.objectives.items()
            if ("A" in groups if name not in leaves else groups != "A")
        ]
        if not bool(torch.stack([gradient, *(part[name] for part in plain.values())]).isfinite().all()):
            raise Diverged(
                f"loss term {term.key} or its gradient is not finite in the audit of its plain scalars"
            )
        text = _unlike(gradient, torch.stack(aims).sum(0) if aims else torch.zeros_like(gradient))
        if text:
            return f"its gradient on {name} has {text}"
    return ""


def _cut(step: Step, names: Collection[str]) -> tuple[Step, dict[str, Tensor]]:
    """The step in float64 with what has a gradient as leaves; of what is made on demand, `names` alone."""
    there = ALWAYS | {name for name in names if name in step.makers or name in vars(step)}
    values: dict[str, Any] = {name: getattr(step, name) for name in there}
    values = {name: _double(value) if isinstance(value, Tensor) else value for name, value in values.items()}
    leaves = {
        name: values[name].requires_grad_()
        for name in sorted(there.intersection(names))
        if isinstance(values[name], Tensor) and getattr(step, name).requires_grad
    }
    return Step(**values), leaves


def _double(value: Tensor) -> Tensor:
    return value.detach().to(torch.float64, copy=True) if value.is_floating_point() else value.detach()


def _gradients(scalar: Tensor, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    if not scalar.requires_grad or not inputs:
        return {name: torch.zeros_like(value) for name, value in inputs.items()}
    parts: Sequence[Tensor] = torch.autograd.grad(
        scalar, list(inputs.values()), retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return dict(zip(inputs, parts, strict=True))


def _unlike(real: Tensor, plain: Tensor) -> str:
    sizes = [float(part.norm()) for part in (real, plain)]
    if float((real - plain).norm()) <= NOTHING + TOLERANCE * max(sizes):
        return ""
    if sizes[1] <= NOTHING:
        return f"norm {sizes[0]:.3g}, where its equation gives none"
    cosine = float((real * plain).sum()) / (sizes[0] * sizes[1]) if sizes[0] > 0 else 0.0
    return f"norm {sizes[0]:.3g}, where its plain scalars give {sizes[1]:.3g} (cosine {cosine:.3g})"
