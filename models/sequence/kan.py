"""M05: the Fourier KAN energy head."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.declared import POSITIVE, declare
from models.precision import at_least_float32
from models.registry import EVERYWHERE


class FourierKAN(nn.Module):
    """u = w . SiLU(h) + b, h_i = sum_j phi_ij(x_j), a Kolmogorov-Arnold layer of Fourier series.

    phi_ij(x) = sum_{k=0..G} a_ijk cos(k pi tanh x) + b_ijk sin(k pi tanh x), i = 1..2d+1. sin(0) vanishes, so
    b_ij0 is not stored. `nonnegative` returns softplus(u) >= 0; otherwise u is unbounded in its parameters.
    Computed in float32 at least, under autocast too: energies with eight bits of mantissa tie pairs that differ.
    Shapes: x [..., d] -> u [...]. NaN in x gives NaN. Raises ValueError for width or grid below 1.
    Source: rp04 (G = 5, hidden width 2d + 1, after the Kolmogorov-Arnold theorem).
    """

    def __init__(self, width: int, grid: int = 5, *, nonnegative: bool = False) -> None:
        super().__init__()
        if width < 1 or grid < 1:
            raise ValueError(f"FourierKAN needs width and grid of at least 1, got {width} and {grid}")
        self.width, self.grid, self.nonnegative = width, grid, nonnegative
        hidden = 2 * width + 1
        self.cosine = nn.Parameter(torch.empty(hidden, width, grid + 1))
        self.sine = nn.Parameter(torch.empty(hidden, width, grid))
        self.out = nn.Linear(hidden, 1)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Coefficients ~ N(0, 1/(d k^2)) for k >= 1 and N(0, 1/d) for k = 0: smooth functions to start from."""
        frequency = torch.arange(1, self.grid + 1, device=self.cosine.device)
        nn.init.normal_(self.cosine, std=1.0 / math.sqrt(self.width))
        nn.init.normal_(self.sine, std=1.0 / math.sqrt(self.width))
        with torch.no_grad():
            self.cosine[..., 1:].div_(frequency)
            self.sine.div_(frequency)

    def hidden(self, x: Tensor) -> Tensor:
        """h [..., 2d+1]."""
        order = torch.arange(self.grid + 1, dtype=x.dtype, device=x.device)
        angle = torch.pi * torch.tanh(x)[..., None] * order
        basis = torch.cat([angle.cos(), angle[..., 1:].sin()], dim=-1).flatten(-2)
        coefficients = torch.cat([self.cosine, self.sine], dim=-1).flatten(-2)
        return basis @ coefficients.T

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            u: Tensor = self.out(F.silu(self.hidden(at_least_float32(x)))).squeeze(-1)
            return F.softplus(u) if self.nonnegative else u


declare(
    "M05", "fourier_kan", kind="energy head", name="Fourier KAN energy head", when={"model.grid": POSITIVE},
    equation="U_I = w SiLU(sum_j sum_k a_ijk cos(k pi tanh x_j) + b_ijk sin(k pi tanh x_j)) + b",
    shapes="z_I [B, d] -> u [B]", source="rp04", group="S", cls=FourierKAN,
    acts=EVERYWHERE, reads=frozenset({"z_i"}),
    kept="U_I is what it makes of z_I",
)  # fmt: skip
