"""The earlier Teacher is taken once, as it first had trained, and not anew as each epoch begins: the user's hidden
episodes are taught what a Teacher of one epoch said for the rest of the training."""

import torch

from models.environment import memory as module

PRESET = "rp13"


def broken(memory, branches, epoch):
    if "earlier_epoch" not in memory or int(memory["earlier_epoch"]) == epoch:
        return dict(memory)
    device = memory["ready"].device
    if float(memory["ready"]) > 0:
        return {**memory, "earlier_epoch": torch.tensor(epoch, device=device)}
    first = int(memory["earlier_epoch"]) == 0
    now = part(memory, NOW) or branches.teacher_parameters()  # noqa: F821
    frozen = {EARLIER + name: value.detach().clone() for name, value in now.items()}  # noqa: F821
    flags = {
        "earlier_epoch": torch.tensor(epoch, device=device),
        "ready": torch.tensor(0.0 if first else 1.0, device=device),
    }
    return {**memory, **frozen, **flags}


module.at_epoch.__code__ = broken.__code__  # for whoever has imported it
