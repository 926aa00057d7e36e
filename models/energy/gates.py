"""Energies whose environment opens or closes a gate on the potential: gated (M12), boosted and threshold (M13)."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from models.energy.base import ENERGIES, Energy, everywhere
from models.registry import EVERYWHERE
from models.stopped import surrogate


class SlopedGate(Energy):
    """A form with the gate sigmoid(w R_E), w learned.

    Gauge: (w, R_E) and (-w, -R_E) are the same energy, so the sign of w alone means nothing; `gate` is what
    to report per cell line.
    """

    nonnegative_resistance = False
    standardise_resistance = True
    gate_closes = True

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

    def report(self) -> dict[str, Tensor]:
        return {"w": self.w.detach()}


@ENERGIES.register(
    "gated",
    id="M12",
    name="gated energy",
    equation="l = U_I sigmoid(w R_E) / T, R_E signed, w learned from 1",
    shapes="u [E, Q], r [E, 1] | [E, Q], temperature [E, 1] -> [E, Q]; w scalar",
    source="source document 004",
)
class GatedEnergy(SlopedGate):
    """l = U_I sigmoid(w R_E) / T: the environment opens (1) or closes (0) the gate on the potential.

    A closed gate gives l = 0 (probability 1/2), not a negative logit.
    """

    acts = EVERYWHERE
    reads = frozenset({"u", "r", "temperature"})

    def forward(self, u: Tensor, r: Tensor, temperature: Tensor) -> Tensor:
        return u * self.gate(r) / temperature

    def strictly_increasing(self, r: Tensor) -> Tensor:
        return self.gate(r.detach()).detach() > 0


@ENERGIES.register(
    "boosted_gate",
    id="M13",
    name="boosted gate",
    equation="l = U_I (1 + a tanh(U_I) sigmoid(R_E)) / T, a in [0, 1] as set, R_E signed",
    shapes="u [E, Q], r [E, 1] | [E, Q], temperature [E, 1] -> [E, Q]",
    source="source document 004 (promotion)",
)
class BoostedGateEnergy(Energy):
    """l = U_I (1 + k tanh U_I) / T, k = a sigmoid(R_E): an open environment promotes, potentials above 0 grow by k
    and those below 0 shrink towards 0.

    The logit increases in every U_I exactly while k < 1 / x = 0.83355..., x tanh x = 1 (docs/derivations.md, Boosted
    gate). The gate that is reported is sigmoid(R_E). Raises ValueError unless 0 <= a <= 1.
    """

    acts = EVERYWHERE
    reads = frozenset({"u", "r", "temperature"})
    nonnegative_resistance = False
    standardise_resistance = True
    BOUND: ClassVar[float] = 0.8335565596009647
    """1 / x with x tanh x = 1: largest k for which the logit does not fall anywhere."""

    def __init__(self, a: float = 0.5) -> None:
        super().__init__()
        if not 0.0 <= a <= 1.0:
            raise ValueError(f"a {a} of the boosted gate is not in [0, 1]")
        self.a = a

    def gate(self, r: Tensor) -> Tensor:
        """sigmoid(R_E) in (0, 1), of the shape of r."""
        return torch.sigmoid(r)

    def forward(self, u: Tensor, r: Tensor, temperature: Tensor) -> Tensor:
        return u * (1 + self.a * torch.tanh(u) * self.gate(r)) / temperature

    def strictly_increasing(self, r: Tensor) -> Tensor:
        return self.a * self.gate(r.detach()) < self.BOUND


@ENERGIES.register(
    "threshold_gate",
    id="M13",
    name="threshold gate",
    equation="l = U_I (1[R_E > tau] + b 1[R_E <= tau]) / T, b > 0 and tau as set, R_E signed; gradient to R_E as of "
    "sigmoid(R_E - tau) (straight-through)",
    shapes="u [E, Q], r [E, 1] | [E, Q], temperature [E, 1] -> [E, Q]",
    source="source document 004 (all or none); Bengio et al. 2013 (straight-through)",
)
class ThresholdGateEnergy(Energy):
    """l = U_I (b + (1 - b) g) / T with g = 1[R_E > tau]: all of the potential, or the leak b of it.

    The indicator has no useful gradient, so backward takes that of sigmoid(R_E - tau) in its place:
    dl/dR_E = U_I (1 - b) s (1 - s) / T with s = sigmoid(R_E - tau). b > 0 keeps a closed cell line's order that of
    U_I. tau is in standard deviations of R_E over the training cell lines. A NaN R_E gives NaN. Raises ValueError
    unless b > 0.
    """

    acts = EVERYWHERE
    reads = frozenset({"u", "r", "temperature"})
    nonnegative_resistance = False
    standardise_resistance = True
    gate_closes = True

    def __init__(self, b: float = 0.1, tau: float = 0.0) -> None:
        super().__init__()
        if not b > 0.0:
            raise ValueError(f"b {b} of the threshold gate is not positive")
        self.b = b
        self.tau = tau

    def gate(self, r: Tensor) -> Tensor:
        """1 where R_E > tau, else 0, of the shape of r; differentiable as sigmoid(R_E - tau)."""
        soft = torch.sigmoid(r - self.tau)
        return surrogate((r > self.tau).to(r.dtype), soft)

    def forward(self, u: Tensor, r: Tensor, temperature: Tensor) -> Tensor:
        return u * (self.b + (1 - self.b) * self.gate(r)) / temperature

    def strictly_increasing(self, r: Tensor) -> Tensor:
        return everywhere(r)
