"""The floor of the standard deviation of R_E, 0.1, is added to the variance without being squared: cell lines whose raw
R_E differ by less than 0.3 are hardly spread any more. The gate opens and closes less than the equation says, and a user
reads off that the environments do not differ."""

import torch

from models.environment.resistance import FLOOR, Resistance

PRESET = "rp25"


def broken(self, raw, reference):
    seen, count = reference.seen, reference.seen.sum()
    mean = (seen * reference.r).sum() / count.clamp(min=1)
    variance = (seen * (reference.r - mean).square()).sum() / count.clamp(min=1)
    return torch.where(count >= 2, (raw - mean) / (variance + FLOOR).sqrt(), raw)


Resistance._standardised = broken
