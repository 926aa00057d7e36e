"""Binding (M14): mass action, the abundance of a cell line's factors times a Boltzmann factor."""

from typing import Literal

from torch import Tensor

from models.energy.base import ENERGIES, Energy, everywhere
from models.environment.abundance import AbundanceResistance
from models.registry import EVERYWHERE


@ENERGIES.register(
    "binding",
    id="M14",
    name="binding energy",
    equation="l = U_I / T + log A_c, A_c = softplus(KAN(z_E)); R_E = -log A_c",
    shapes="u [E, Q], r [E, 1], temperature [E, 1] -> [E, Q]; z_E [E, w] -> A_c [E]",
    source="source document 004: P proportional to [TF] exp(-dG / kT)",
)
class BindingEnergy(Energy):
    """l = U_I / T - R_E, R_E = -log A_c: odds A_c exp(U_I / T), with A_c > 0 in the place of the concentration [TF]
    and U_I / T in that of -dG / kT.

    A_c is made of z_E by `AbundanceResistance` (Fourier KAN of `grid` frequencies, group E). Unlike in `linear`, T
    scales U_I alone. A_c belongs to the cell line: there is no R_E(x, c). At T = 1 this is `linear` with an R_E of
    either sign (definitions, Gauge).
    """

    acts = EVERYWHERE
    reads = frozenset({"u", "r", "temperature"})
    nonnegative_resistance = False
    standardise_resistance = False

    def __init__(self, grid: int = 5) -> None:
        super().__init__()
        self.grid = grid

    def resistance(
        self, *, width: int, features: int, scope: Literal["cell", "sample"], rank: int
    ) -> AbundanceResistance:
        return AbundanceResistance(width, features, scope, self.grid)

    def forward(self, u: Tensor, r: Tensor, temperature: Tensor) -> Tensor:
        return u / temperature - r

    def strictly_increasing(self, r: Tensor) -> Tensor:
        return everywhere(r)
