"""The other strand is complemented and not read backwards: with shared strands a sequence is averaged with one that no cell
has. A user relies on a model that does not care which strand a window was cut from, and gets one that does."""

import torch

from models.sequence import potential
from models.sequence.tokens import NULL_BASE

PRESET = "complete"


def broken(bases):
    complement = torch.where(bases < NULL_BASE, 3 - bases.clamp_max(3), NULL_BASE)
    return complement.to(bases.dtype)


potential.reverse_complement = broken
