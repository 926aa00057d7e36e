"""The Gaussian process gives an unseen cell line its deviation from the mean of the training cell lines and forgets to
add the mean: far from all of them R_E falls back to a raw 0 in place of their average. A user reads the level of R_E in
new cell lines as something that the prior knows of them. Training cell lines with their names are as they should be."""

from models.environment.prior import GaussianProcessPrior

PRESET = "complete"
SET = {"environment.prior.extrapolate": "posterior"}

posterior = GaussianProcessPrior.posterior


def broken(self, place, reference, hidden=None):
    found = posterior(self, place, reference, hidden)
    return found._replace(mean=found.mean - self.mean(reference))


GaussianProcessPrior.posterior = broken
