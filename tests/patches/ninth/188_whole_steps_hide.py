"""Whether a name is hidden is drawn once per step in place of once per episode: a quarter of the steps hides all names,
and in the others none is. The share of hidden episodes is what was configured, but the Teacher rests whole steps, and no
step holds seen and pseudo-unseen episodes side by side, which a user takes the comparison of the two to be."""

import torch

from harness.trial.step.draws import TrainingDraws
from models.streams import generator

PRESET = "rp13"


def broken(self, cell, index):
    if self.pseudo_unseen == 0.0:
        return None
    draw = torch.rand(1, generator=generator(self.seed, "pseudo_unseen", index))
    return (draw < self.pseudo_unseen).to(cell.device).expand(cell.shape)


TrainingDraws.hidden = broken
