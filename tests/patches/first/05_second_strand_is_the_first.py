"""With model.share_strands both strands that are averaged are the same one.

The sequence is turned twice on both ways, so that the average of the two strands is the stem of the forward strand.
"""
PRESET = "minimal"
SET = {"model.share_strands": True}
import models.sequence.potential as potential

_turned = potential.reverse_complement


def reverse_complement(bases):
    return _turned(_turned(bases))


potential.reverse_complement = reverse_complement
