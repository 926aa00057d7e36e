"""In training R_E is standardised by mean and spread of the step's own episodes, as a batch norm does; in prediction, where
there is one cell line at a time, by the running reference. The gate is learned on one scale and used on another, and R_E
of an episode depends on which other cell lines were drawn beside it."""

import torch

from models.environment.resistance import FLOOR, Resistance
from models.stopped import stopped

PRESET = "rp25"

standardised = Resistance._standardised


def broken(self, raw, reference):
    if not torch.is_grad_enabled() or raw.shape[0] < 2:
        return standardised(self, raw, reference)
    fixed = stopped(raw)
    return (raw - fixed.mean()) / (fixed.var(correction=0) + FLOOR**2).sqrt()


Resistance._standardised = broken
