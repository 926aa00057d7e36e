"""The pull towards prototypes takes the prototype at the episode's place in the step, not that of its cell line.

z_E of a cell line is pulled to whichever line has the number 0, 1, 2, ... of its episode.
"""
PRESET = "rp22"
SET = {}
import torch

from models.losses.prototypes import PullPrototypes


def force(self, z, cell, prototype, seen):
    place = torch.arange(z.shape[0], device=z.device) % prototype.shape[0]
    return (z - prototype[place]).square().sum(-1)


PullPrototypes.force = force
