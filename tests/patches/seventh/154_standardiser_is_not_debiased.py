"""The Opportunist's running mean and mean square are used without being divided by the weight that they have gathered.
With a momentum of 0.99 they are near zero in the first hundred steps, so that the statistics of support sets are
clipped at plus or minus 5 instead of standardised: the Opportunist starts blind, and the Student wins a competition
that did not take place."""

import torch

from models.environment.opportunist import Standardiser

PRESET = "rp12"

apply = Standardiser.apply


def broken(self, x):
    return apply(self._replace(weight=torch.ones_like(self.weight)), x)


Standardiser.apply = broken
