"""Whose R_T is the target (M29): the frozen earlier Teacher's where a name is hidden, the present one's elsewhere."""

from collections.abc import Mapping

import torch
from torch import Tensor

from harness.audit.finding import MechanismFinding
from harness.audit.twins import Twins
from harness.trial.step.trainer import Trainer
from models.environment.memory import EARLIER, NOW, Memory, part
from models.streams import generator

SHIFT = 0.5
"""Standard deviation of what is added to a Teacher's parameters."""


def strange_targets(twins: Twins) -> list[MechanismFinding]:
    """A finding where the target of an episode does not move with its own Teacher's parameters, or moves with the other
    one's; none where no name is hidden or nothing is taught."""
    trainer = twins.trainer
    if "earlier_epoch" not in trainer.memory:
        return []
    hidden = trainer.hidden(twins.probe.batch, trainer.index)
    if hidden is None or bool(hidden.all()) or not bool(hidden.any()):
        return []
    base = _targets(twins, twins.behind)
    earlier = twins.probe.behind(patch=lambda clone: _shift(clone, "earlier/"))
    now = twins.probe.behind(patch=lambda clone: _shift(clone, "teacher/"))
    moved = {
        "the earlier Teacher": _targets(twins, earlier) != base,
        "the present Teacher": _targets(twins, now) != base,
    }
    places = {"hides its name": hidden, "shows its name": ~hidden}
    said = []
    for (where, episodes), expected in zip(places.items(), moved, strict=True):
        for teacher, rows in moved.items():
            reached = bool(rows[episodes].any())
            if reached != (teacher == expected):
                said.append(
                    f"in an episode that {where}, the target R_T follows {teacher}"
                    if reached
                    else f"in an episode that {where}, the target R_T does not follow {teacher}"
                )
    return [MechanismFinding("-", "memory", "broken", text, "input") for text in said[:1]]


def teacher_now(trainer: Trainer) -> dict[str, Tensor]:
    """Parameters of the present Teacher, as the earlier one has them from the beginning of an epoch on; empty where none is
    frozen."""
    if "earlier_epoch" not in trainer.memory:
        return {}
    now = part(trainer.memory, NOW) or trainer.model.environment.branches.teacher_parameters()
    return {name: value.detach().clone() for name, value in now.items()}


def stale_teacher(memory: Memory, began: Mapping[str, Tensor], *, epoch: int) -> str:
    """What is wrong with the earlier Teacher after the first step of an epoch, which `began` with this present one; empty
    where it is that one, or where `began` is empty."""
    earlier = part(memory, EARLIER)
    if any(not torch.equal(value, earlier[name]) for name, value in began.items()):
        return f"the earlier Teacher is not the Teacher as it stood when epoch {epoch} began"
    return ""


@torch.no_grad()
def _targets(twins: Twins, trainer: Trainer) -> Tensor:
    """R_T of the probe's batch, with a row per episode."""
    return trainer.measure(twins.probe.batch, warm=False).step.r_teacher


@torch.no_grad()
def _shift(trainer: Trainer, prefix: str) -> None:
    """Add to the parameters of the earlier or of the present Teacher, wherever these are kept."""
    source = generator(trainer.seed, "audit", "teacher", trainer.index)
    named = {name: value for name, value in trainer.memory.items() if name.startswith(prefix)}
    trainer.memory |= {
        name: value + SHIFT * torch.randn(value.shape, generator=source).to(value)
        for name, value in named.items()
    }
    if not named:
        for parameter in trainer.model.environment.branches.teacher_parameters().values():
            parameter.add_(SHIFT * torch.randn(parameter.shape, generator=source).to(parameter))
