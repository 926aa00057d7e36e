"""The temperature-controlled sigmoid gate of CBAT (part of M03)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SOFTPLUS_ONE = math.log(math.e - 1.0)
"""softplus of this is exactly 1."""


class TemperedGate(nn.Module):
    """gate(x, y) = sigmoid(W [x; y] / tau) * y, tau = softplus(t) > 0, learned, 1 at initialisation.

    x is the residual stream, y the update that it admits. Small tau makes the gate all-or-none, large tau holds
    it at one half. Shapes: x, y [..., d] -> [..., d]. Source: rp01 to rp04.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.open = nn.Linear(2 * width, width)
        self.raw_temperature = nn.Parameter(torch.empty(()))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.constant_(self.raw_temperature, SOFTPLUS_ONE)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        temperature = F.softplus(self.raw_temperature)
        return torch.sigmoid(self.open(torch.cat([x, y], dim=-1)) / temperature) * y
