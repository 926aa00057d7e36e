"""The gate over the two directions of CBAT is averaged over the batch: what a pair's z_I is depends on the pairs that
happen to be computed with it, so that its score is another one in another batch, and a user cannot predict it again."""

import torch

from models.sequence.anchors import DirectionGate

PRESET = "rp22"


def broken(self, enhancer, promoter):
    level = self.weigh(torch.cat([enhancer, promoter], dim=-1)).mean(0, keepdim=True)
    gate = torch.sigmoid(level)
    return gate * enhancer + (1.0 - gate) * promoter


DirectionGate.forward = broken
