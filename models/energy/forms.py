"""Energy forms: how the sequence potential U_I and the environment resistance R_E make one logit."""

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from models.registry import Registry


class Energy(nn.Module):
    """logit = energy(U_I, R_E) / T.

    forward(u [E, Q], r [E, 1] or [E, Q], temperature [E, 1]) -> logit [E, Q], unbounded. Shapes that do not
    broadcast raise torch's RuntimeError; Q = 0 gives an empty logit; NaN passes through. Parameters are
    group G.
    """

    nonnegative_resistance: ClassVar[bool]
    """R_E >= 0 is part of the form (a softplus makes it so)."""
    standardise_resistance: ClassVar[bool]
    """R_E is standardised over the training cell lines: the form has a scale gauge with R_E."""

    @abstractmethod
    def forward(self, u: Tensor, r: Tensor, temperature: Tensor) -> Tensor:
        """Logit [E, Q]."""

    @abstractmethod
    def strictly_increasing(self, r: Tensor) -> Tensor:
        """Bool of the shape of r: is the logit strictly increasing in U_I at this R_E (T > 0)?

        Where r is one value per cell line (cell scope), True means that the ranking within the cell line is
        exactly that of U_I alone (rank-invariant). At sample scope r moves with the pair and nothing follows.
        """

    def report(self) -> dict[str, Tensor]:
        """Learned scalars by name, detached; empty for a form without any."""
        return {}


ENERGIES: Registry[Energy] = Registry("energy form")


@ENERGIES.register(
    "linear",
    id="M10",
    name="linear dissipation",
    equation="l = (U_I - R_E) / T, R_E >= 0",
    shapes="u [E, Q], r [E, 1] | [E, Q], temperature [E, 1] -> [E, Q]",
    source="seeds 000 and 001",
)
class LinearEnergy(Energy):
    """l = (U_I - R_E) / T: the environment shifts a cell line's potentials down, never their order."""

    nonnegative_resistance = True
    standardise_resistance = False

    def forward(self, u: Tensor, r: Tensor, temperature: Tensor) -> Tensor:
        return (u - r) / temperature

    def strictly_increasing(self, r: Tensor) -> Tensor:
        return torch.ones_like(r, dtype=torch.bool)


@ENERGIES.register(
    "interaction",
    id="M11",
    name="interaction energy",
    equation="l = (U_I - R_E + lam U_I R_E) / T, R_E >= 0, lam learned from 0.1",
    shapes="u [E, Q], r [E, 1] | [E, Q], temperature [E, 1] -> [E, Q]; lam scalar",
    source="seed 003",
)
class InteractionEnergy(Energy):
    """l = (U_I - R_E + lam U_I R_E) / T = ((1 + lam R_E) U_I - R_E) / T, increasing while 1 + lam R_E > 0."""

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


@ENERGIES.register(
    "gated",
    id="M12",
    name="gated energy",
    equation="l = U_I sigmoid(w R_E) / T, R_E signed, w learned from 1",
    shapes="u [E, Q], r [E, 1] | [E, Q], temperature [E, 1] -> [E, Q]; w scalar",
    source="seed 004",
)
class GatedEnergy(Energy):
    """l = U_I sigmoid(w R_E) / T: the environment opens (1) or closes (0) the gate on the potential.

    Gauge: (w, R_E) and (-w, -R_E) are the same energy, so the sign of w alone means nothing; `gate` is what
    to report per cell line. A closed gate gives l = 0 (probability 1/2), not a negative logit.
    """

    nonnegative_resistance = False
    standardise_resistance = True

    def __init__(self, w: float = 1.0) -> None:
        super().__init__()
        self.initial = w
        self.w = nn.Parameter(torch.empty(()))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.constant_(self.w, self.initial)

    def gate(self, r: Tensor) -> Tensor:
        """sigmoid(w R_E) in (0, 1), of the shape of r."""
        return torch.sigmoid(self.w * r)

    def forward(self, u: Tensor, r: Tensor, temperature: Tensor) -> Tensor:
        return u * self.gate(r) / temperature

    def strictly_increasing(self, r: Tensor) -> Tensor:
        return self.gate(r.detach()).detach() > 0

    def report(self) -> dict[str, Tensor]:
        return {"w": self.w.detach()}
