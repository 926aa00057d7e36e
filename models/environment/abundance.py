"""R_E of the binding energy (M14): minus the log abundance of a cell line's factors."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import softplus

from models.environment.resistance import Reference, Resistance
from models.sequence.kan import FourierKAN


def log_softplus(x: Tensor) -> Tensor:
    """log softplus(x), which tends to x for x << 0 (softplus(x) = e^x - e^2x / 2 + ...) without underflow."""
    low = x < -15.0
    return torch.where(low, x - x.clamp(max=0.0).exp() / 2, softplus(x.clamp(min=-15.0)).log())


class AbundanceHead(FourierKAN):
    """raw = KAN(z_E): [E, w] -> [E, 1], a Fourier KAN (M05) in the place of the linear map of other energies."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).unsqueeze(-1)


class AbundanceResistance(Resistance):
    """R_E(c) = -log A_c, A_c = softplus(raw), raw = KAN(z_E(c)) with a Fourier KAN of `grid` frequencies.

    Range: all of R; scarce factors (A_c < 1) resist, abundant ones (A_c > 1) promote. Shapes: z_e [E, w] -> raw [E],
    R_E [E, 1]. Neither standardised nor made non-negative; a Teacher's raw value becomes an abundance the same way.
    NaN passes through. Raises ValueError at sample scope: A_c belongs to the cell line.
    Source: source document 004.
    """

    def __init__(
        self, width: int, features: int, scope: Literal["cell", "sample"] = "cell", grid: int = 5
    ) -> None:
        if scope != "cell":
            raise ValueError(
                "binding has no R_E(x, c): A_c is an abundance of the cell line, at scope 'cell'"
            )
        super().__init__(width=width, features=features)
        self.cell_part = AbundanceHead(width, grid)

    def of_cell(self, raw: Tensor, reference: Reference) -> Tensor:
        """-log softplus(raw): [E] -> [E]; it needs nothing of the training cell lines' reference."""
        return -log_softplus(raw)
