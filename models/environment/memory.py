"""Memory of the Teacher as explicit state: the Student's average (M23) and a frozen earlier Teacher (M29).

A memory is a dict of tensors: `teacher/NAME`, the remembered parameters of an `ema` Teacher; `earlier/NAME`, those
of the earlier Teacher; `earlier_epoch`, the epoch that the earlier Teacher is frozen for (0: none yet), and `ready`
0/1, whether it had trained. Nothing is written in place.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from models.declared import POSITIVE, declare
from models.environment.branches import Branches
from models.registry import TRAINING

Memory = Mapping[str, Tensor]
NOW, EARLIER = "teacher/", "earlier/"


def initial_memory(branches: Branches, *, pseudo_unseen: bool) -> dict[str, Tensor]:
    """The memory before the first step: an `ema` Teacher starts as the Student is; there is no earlier Teacher."""
    teacher = branches.teacher
    if teacher is None:
        return {}
    parameters = {name: value.detach().clone() for name, value in branches.teacher_parameters().items()}
    memory = {} if teacher.by_name else {NOW + name: value for name, value in parameters.items()}
    if pseudo_unseen:
        memory |= {EARLIER + name: value.clone() for name, value in parameters.items()}
        memory |= {"earlier_epoch": torch.tensor(0), "ready": torch.tensor(0.0)}
    return memory


def after_step(memory: Memory, branches: Branches) -> dict[str, Tensor]:
    """The memory after an optimiser step of phase 2: theta_T <- m theta_T + (1 - m) theta_S for an `ema` Teacher."""
    teacher = branches.teacher
    if teacher is None or teacher.by_name:
        return dict(memory)
    averaged = teacher.remember(part(memory, NOW), branches.teacher_parameters())
    return {**memory, **{NOW + name: value for name, value in averaged.items()}}


def at_epoch(memory: Memory, branches: Branches, epoch: int) -> dict[str, Tensor]:
    """The memory at a step of `epoch` (1-based, of phase 2): the earlier Teacher is the Teacher as it stood when the
    epoch began, and keeps so through it. At the first such epoch no Teacher has trained: `ready` stays 0.
    """
    if "earlier_epoch" not in memory or int(memory["earlier_epoch"]) == epoch:
        return dict(memory)
    first = int(memory["earlier_epoch"]) == 0
    now = part(memory, NOW) or branches.teacher_parameters()
    frozen = {EARLIER + name: value.detach().clone() for name, value in now.items()}
    device = memory["ready"].device
    flags = {
        "earlier_epoch": torch.tensor(epoch, device=device),
        "ready": torch.tensor(0.0 if first else 1.0, device=device),
    }
    return {**memory, **frozen, **flags}


def part(memory: Memory, prefix: str) -> dict[str, Tensor]:
    """The parameters remembered under `prefix`, by qualified name; empty where there are none."""
    return {name[len(prefix) :]: value for name, value in memory.items() if name.startswith(prefix)}


declare(
    "M29", "pseudo_unseen", kind="hidden names", name="pseudo-unseen cell lines",
    when={"episode.pseudo_unseen": POSITIVE},
    equation="a share of episodes hides the cell line's name; target R_ref of a frozen earlier Teacher",
    shapes="cell [E] -> cell [E] with -1 where hidden", source="source document 001", off={"episode.pseudo_unseen": 0.0},
    acts=TRAINING, reads=frozenset({"cell_line"}),
)  # fmt: skip
