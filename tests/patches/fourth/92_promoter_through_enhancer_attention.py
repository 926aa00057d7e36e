"""The promoter goes through the enhancer's self-attention blocks; its own blocks are built and never run.

Both loops read the same list of layers. The promoter's attention is counted among the parameters, is decayed by nothing
that it did, and has no gradient at all.
"""

PRESET = "rp04"
SET = {}
from models.sequence.potential import SequencePotential
from models.sequence.side import Side


def attended(self, name, side, noise):
    h = side.h
    for layer in self.enhancer_attention:
        h = layer(h, side.mask, noise)
    return Side(h, side.mask)


SequencePotential._attended = attended
