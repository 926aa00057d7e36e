"""The loss of the Gaussian-process prior squares the noise, as if a standard deviation were configured: 0.1 becomes 0.01.
The prior believes that raw R_E is observed almost exactly, pulls resistances of like cell lines together far harder
than was asked for, and a sweep over the noise is read on the wrong axis."""

from models.environment.prior import GaussianProcessPrior

PRESET = "complete"

log_density = GaussianProcessPrior.log_density


def broken(self, raw, place, reference):
    noise, self.noise = self.noise, self.noise**2
    try:
        return log_density(self, raw, place, reference)
    finally:
        self.noise = noise


GaussianProcessPrior.log_density = broken
