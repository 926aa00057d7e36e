"""R_E of the gated energies is standardised over the support sets at hand and not over the training cell lines.

In a training step that is much the same. At prediction the sets at hand are the draws of one cell line: what tells the line
from the training lines is subtracted, R_E is exactly 0 with one draw, and every line has the same gate.
"""
import torch

from models.environment.resistance import FLOOR, Resistance

PRESET = "rp25"
SET = {}


def _standardised(self, raw, reference):
    mean = raw.detach().mean()
    variance = (raw.detach() - mean).square().mean()
    return torch.where(reference.seen.sum() >= 2, (raw - mean) / (variance + FLOOR**2).sqrt(), raw)


Resistance._standardised = _standardised
