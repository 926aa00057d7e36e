"""Energies that R_E takes from: linear dissipation (M10), and with an interaction of U_I and R_E (M11)."""

import torch
from torch import Tensor, nn

from models.energy.base import ENERGIES, Energy, everywhere
from models.registry import EVERYWHERE


@ENERGIES.register(
    "linear",
    id="M10",
    name="linear dissipation",
    equation="l = (U_I - R_E) / T, R_E(c) >= 0; at sample scope R_E(x, c) = R_E(c) + a centred part of either "
    "sign, and may be negative",
    shapes="u [E, Q], r [E, 1] | [E, Q], temperature [E, 1] -> [E, Q]",
    source="source documents 000 and 001",
)
class LinearEnergy(Energy):
    """l = (U_I - R_E) / T: the environment shifts a cell line's potentials down, never their order.

    R_E(c) >= 0 is the resistance of the cell line. At sample scope R_E(x, c) deviates from it to either side, so
    a pair that the cell line favours may have a negative one.
    """

    acts = EVERYWHERE
    reads = frozenset({"u", "r", "temperature"})
    nonnegative_resistance = True
    standardise_resistance = False

    def forward(self, u: Tensor, r: Tensor, temperature: Tensor) -> Tensor:
        return (u - r) / temperature

    def strictly_increasing(self, r: Tensor) -> Tensor:
        return everywhere(r)


@ENERGIES.register(
    "interaction",
    id="M11",
    name="interaction energy",
    equation="l = (U_I - R_E + lam U_I R_E) / T, R_E(c) >= 0, lam learned from 0.1; at sample scope R_E(x, c) = "
    "R_E(c) + a centred part of either sign, and may be negative",
    shapes="u [E, Q], r [E, 1] | [E, Q], temperature [E, 1] -> [E, Q]; lam scalar",
    source="source document 003",
)
class InteractionEnergy(Energy):
    """l = (U_I - R_E + lam U_I R_E) / T = ((1 + lam R_E) U_I - R_E) / T, increasing while 1 + lam R_E > 0.

    R_E(c) >= 0; at sample scope R_E(x, c) deviates from it to either side and may be negative.
    """

    acts = EVERYWHERE
    reads = frozenset({"u", "r", "temperature"})
    nonnegative_resistance = True
    standardise_resistance = False

    def __init__(self, lam: float = 0.1) -> None:
        super().__init__()
        self.initial = lam
        self.lam = nn.Parameter(torch.empty(()))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.constant_(self.lam, self.initial)

    def forward(self, u: Tensor, r: Tensor, temperature: Tensor) -> Tensor:
        return (u - r + self.lam * u * r) / temperature

    def strictly_increasing(self, r: Tensor) -> Tensor:
        return 1 + self.lam.detach() * r > 0

    def report(self) -> dict[str, Tensor]:
        return {"lam": self.lam.detach()}
