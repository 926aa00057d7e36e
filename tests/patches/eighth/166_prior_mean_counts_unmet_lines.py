"""The mean of the Gaussian process divides by the number of training cell lines and not by the number of those met so
far, each of which is yet at 0: in the first steps of phase 2 the prior pulls the resistances towards 0. Once every
cell line was met nothing is wrong any more, but the trajectory stays another one."""

from models.environment.prior import GaussianProcessPrior

PRESET = "complete"


def broken(self, reference):
    seen = reference.seen.detach()
    return (seen * reference.r.detach()).sum() / len(seen)


GaussianProcessPrior.mean = broken
