"""Does a loss term read what it declares to read of a step? Each tensor of it is changed alone, at several states."""

import torch
from torch import Tensor

from harness.audit.idle import STRETCHES, stretched
from harness.audit.reading import NOTHING
from harness.audit.twins import Twins
from models.episode import Step
from models.losses.term import LossTerm, State

FLAGS = frozenset({"label", "pseudo_unseen", "taught"})
"""Inputs of 0 and 1, which are turned over; every other one is exchanged between episodes, and stretched."""
UNASKED = frozenset({"cell", "query_cell", "index", "seed", "energy_of", "channel_size"})
"""Inputs that only name or count things, and functions."""


def unread_input(twins: Twins, term: LossTerm) -> tuple[str, float | None]:
    """The first declared input that moves the term's value at none of the states that are tried (empty: all move it), and
    the smallest relative movement over the inputs (None: there are none to ask for, as of a term that waits, whose parts
    read by its settings: `LossTerm.awake`).
    """
    if type(term).awake is not LossTerm.awake:
        return "", None
    step = twins.measured
    state = twins.trainer.states[term.key]
    gaps = []
    for name in sorted(term.reads - UNASKED):
        gap = 0.0
        for scale, shift in ((1.0, 0.0), *STRETCHES):
            gap = _movement(term, stretched(step, scale, shift)[0], state, name)
            if gap > NOTHING:
                break
        gaps.append(gap)
        if gap <= NOTHING:
            return name, gap
    return "", min(gaps, default=None)


def _movement(term: LossTerm, step: Step, state: State, name: str) -> float:
    """Largest relative change of the term's value when the input is another one; 0 where the value is not finite."""
    value = float(term(step, state)[0].detach())
    content: Tensor = getattr(step, name).detach()

    def gap(other: Tensor) -> float:
        changed = Step(**{**vars(step), name: other.requires_grad_(other.is_floating_point())})
        gap = abs(float(term(changed, state)[0].detach()) - value) / (abs(value) + NOTHING)
        return gap if gap < float("inf") else 0.0

    moved = max(map(gap, exchanged(content, name)))
    return moved if moved > NOTHING or name in FLAGS else gap(scattered(content))


def exchanged(content: Tensor, name: str) -> list[Tensor]:
    """Other contents for a tensor of a step: flags turned over, numbers of other episodes, stretched."""
    if name in FLAGS:
        return [1 - content]
    turned = content.roll(1, 0) if content.ndim else content
    return [1.5 * turned + 0.3, 0.7 * torch.flip(content, dims=(-1,)) if content.ndim else 0.7 * content]


def scattered(content: Tensor) -> Tensor:
    """A content that differs everywhere, the same each time: where a model has collapsed onto one number, those of other
    episodes are the same, and a term that hears only how they differ is not moved by them."""
    draws = torch.randn(content.shape, generator=torch.Generator().manual_seed(0))
    return content + draws.to(content)
