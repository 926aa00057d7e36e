"""M33 `vib`: z_I as a Gaussian whose information about the sequences is priced."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from models.precision import at_least_float32
from models.streams import GaussianNoise, Noise

FIRST_SIGMA = 0.1
"""Spread at initialisation where h = 0: nearly deterministic, so that the task is learned before the price bites."""
LEAST_SIGMA = 1e-3
"""Keeps log sigma finite; the price of a dimension is then at most 6.4 nats above that of its mean."""


class InformationBottleneck(nn.Module):
    """z = h + sigma(h) eps, eps ~ N(0, I) in training; z = h in evaluation.

    sigma(h) = softplus(linear(h)) + 1e-3, about 0.1 at initialisation; the mean is h itself.
    KL = 1/2 sum_j (h_j^2 + sigma_j^2 - 1) - sum_j ln sigma_j >= 0 in nats, which bounds I(z; sequences) from
    above on average (the rate).

    Shapes: h [B, d] -> z [B, d], KL [B]. Computed in float32 at least, under autocast too: h^2 and ln sigma
    lose the price in bfloat16. NaN in h gives NaN. B = 0 gives empty tensors.
    Source: source document 004; Alemi et al. 2017, "Deep Variational Information Bottleneck", eq. 17.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spread = Spread(width)
        self.noise = GaussianNoise()

    def forward(self, h: Tensor, noise: Noise | None = None) -> tuple[Tensor, Tensor]:
        with torch.autocast(h.device.type, enabled=False):
            mu = at_least_float32(h)
            sigma = self.spread(mu)
            kl = ((mu.square() + sigma.square() - 1) / 2 - sigma.log()).sum(-1)
            return self.noise(mu, sigma, noise), kl


class Spread(nn.Linear):
    """sigma(h) = softplus(W h + b) + 1e-3 with b such that sigma(0) = 0.1 at initialisation: [..., d] -> [..., d]."""

    def __init__(self, width: int) -> None:
        super().__init__(width, width)

    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.constant_(self.bias, math.log(math.expm1(FIRST_SIGMA - LEAST_SIGMA)))

    def forward(self, input: Tensor) -> Tensor:
        return softplus(super().forward(input)) + LEAST_SIGMA
