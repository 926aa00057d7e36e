"""Whether a loss term that is 0 with gradient 0 would act at another state: a satisfied hinge does, a dead term never."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from harness.audit.probe import Probe
from models.episode import Step
from models.losses.term import LossTerm

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
    """Whether any of the tried states gives the term a gradient. Costs one pass of the sequence side."""
    trainer = probe.clone()
    probe.pairs += (probe.batch.support.size + probe.batch.query.size) / 3
    _, _, step, _ = trainer._measure(probe.batch, warm=False)
    own = next(t for t, _ in trainer.weighted if t.key == term.key)
    for scale, shift in STRETCHES:
        moved, inputs = stretched(step, scale, shift)
        now = trainer.states[term.key]
        for state in (now, own.initial_state(), own.awake(now)):
            value, _ = own(moved, state)
            if value.requires_grad:
                found = torch.autograd.grad(value, [*inputs, *own.parameters()], allow_unused=True)
                if any(g is not None and bool(torch.isfinite(g).all()) and bool(g.any()) for g in found):
                    return True
    return False


def stretched(step: Step, scale: float, shift: float) -> tuple[Step, list[Tensor]]:
    """The step with every model-made tensor scaled and shifted, as leaves; every other episode is stretched further."""
    leaves: dict[str, Any] = {}
    for name in SHIFTED:
        value = getattr(step, name)
        if value is not None:
            leaf = scale * value.detach() + shift
            if leaf.ndim:
                factor = torch.ones(leaf.shape[0], device=leaf.device)
                factor[::2] = 1.5
                leaf = leaf * factor.view(-1, *[1] * (leaf.ndim - 1))
            leaves[name] = leaf.requires_grad_()
    return replace(step, **leaves), list(leaves.values())
