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
        # The map over temperature, each half of it on its part: nothing as large as [x; y] is ever made.
        temperature = F.softplus(self.raw_temperature)
        of_x, of_y = (self.open.weight / temperature).split(x.shape[-1], dim=-1)
        level = F.linear(x, of_x, self.open.bias / temperature).flatten(0, -2)
        return torch.sigmoid(torch.addmm(level, y.flatten(0, -2), of_y.T)).view_as(y) * y
