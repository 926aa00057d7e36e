"""Which steps of an epoch are looked at closely: what acts at one place of every epoch is met sooner or later."""

import torch

from models.streams import generator

EVERY_WAY = 2
"""Epochs at the beginning of a unit in which the first, a middle and the last step are all looked at."""


def middle_step(seed: int, epoch: int, steps: int) -> int | None:
    """Place of an epoch (1-based) between its first step and its last of `steps`: by chance, and none twice before all of
    them had their turn. None where the epoch has no such place, and in every other one after EVERY_WAY."""
    if steps < 3 or (epoch > EVERY_WAY and (epoch - EVERY_WAY) % 2 == 0):
        return None
    turn = epoch - 1 if epoch <= EVERY_WAY else EVERY_WAY + (epoch - EVERY_WAY) // 2
    run, at = divmod(turn, steps - 2)
    order = torch.randperm(steps - 2, generator=generator(seed, "looked at", run))
    return 1 + int(order[at])


def is_last(epoch: int, position: int, steps: int) -> bool:
    """Whether a step is the last of an epoch (1-based) that looks there, as all do that look at none in the middle."""
    looks = epoch <= EVERY_WAY or steps < 3 or (epoch - EVERY_WAY) % 2 == 0
    return looks and position == steps - 1
