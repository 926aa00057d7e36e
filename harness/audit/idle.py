"""Whether a loss term that is 0 with gradient 0 would act at another state: a satisfied hinge does, a dead term never."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from harness.audit.probe import Probe
from models.episode import Step
from models.losses.term import LossTerm, State

SHIFTED = (
    "u",
    "logit",
    "z_i",
    "z_e",
    "r",
    "r_raw",
    "r_student",
    "r_heard",
    "temperature",
    "log_prior",
    "kl",
    "v_decoded",
)
"""What a step carries of the model: the state that another set of parameters would change."""
STRETCHES = ((30.0, 0.0), (0.001, 0.0), (1.0, 30.0), (1.0, -30.0), (-3.0, 1.0))
"""(scale, shift) of the states that are tried."""


def wakes(probe: Probe, term: LossTerm) -> bool:
    """Whether any of the tried states gives the term a gradient; the last of them knows the cell lines of a few steps."""
    trainer = probe.behind()
    step = trainer.measure(probe.batch, warm=False).step
    twin = next(t for t, _ in trainer.weighted if t.key == term.key)
    now = trainer.states[term.key]
    states = (now, twin.initial_state(), twin.awake(now))
    return _acts(twin, step, states) or _acts(twin, step, [_after_more(probe, twin, now)])


def _after_more(probe: Probe, twin: LossTerm, state: State) -> State:
    """The term's state after the steps of all batches of the probe."""
    for batch in probe.batches:
        step = probe.plain.measure(batch, warm=False).step
        state = {name: value.detach() for name, value in twin(step, state)[1].items()}
    return state


def _acts(twin: LossTerm, step: Step, states: Sequence[State]) -> bool:
    for scale, shift in STRETCHES:
        moved, inputs = stretched(step, scale, shift)
        for state in states:
            value, _ = twin(moved, state)
            if value.requires_grad:
                places = [*inputs, *twin.parameters()]
                gradients = torch.autograd.grad(value, places, allow_unused=True)
                if any(g is not None and bool(torch.isfinite(g).all()) and bool(g.any()) for g in gradients):
                    return True
    return False


def stretched(step: Step, scale: float, shift: float) -> tuple[Step, list[Tensor]]:
    """The step with every tensor of the model scaled and shifted, and the list of these tensors, which are leaves; those
    made on demand join it when a term asks for them. Every other episode is stretched further."""
    leaves: list[Tensor] = []

    def leaf(name: str) -> Tensor:
        value: Tensor = getattr(step, name)
        moved = scale * value.detach() + shift
        if moved.ndim:
            factor = torch.ones(moved.shape[0], device=moved.device)
            factor[::2] = 1.5
            moved = moved * factor.view(-1, *[1] * (moved.ndim - 1))
        leaves.append(moved.requires_grad_())
        return moved

    values: dict[str, Any] = {
        name: leaf(name) if name in SHIFTED else value for name, value in vars(step).items()
    }
    values["makers"] = {
        name: partial(leaf, name) if name in SHIFTED else partial(getattr, step, name) for name in step.makers
    }
    return Step(**values), leaves
