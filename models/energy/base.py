"""What an energy form is: the sequence potential U_I and the environment resistance R_E make one logit."""

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from models.registry import Registry


class Energy(nn.Module):
    """logit = energy(U_I, R_E, T).

    forward(u [E, Q], r [E, 1] or [E, Q], temperature [E, 1]) -> logit [E, Q], unbounded. Shapes that do not
    broadcast raise torch's RuntimeError; Q = 0 gives an empty logit; NaN passes through. Parameters are
    group G.

    R_E is all that an energy hears of the environment, also where a form has its own map from z_E to R_E
    (`binding`): what is put in the place of R_E (a Teacher's, a fusion of both, its mean) acts in every form.
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
        """Bool of the shape of r: is the logit strictly increasing in U_I at this R_E (T > 0), in exact arithmetic?

        Where r is one value per cell line (cell scope), True means that the ranking within the cell line is
        exactly that of U_I alone (rank-invariant). At sample scope r moves with the pair and nothing follows.
        """

    def gate(self, r: Tensor) -> Tensor | None:
        """How far R_E opens the form's gate, in [0, 1] and of the shape of r; None for a form without a gate."""
        return None

    def report(self) -> dict[str, Tensor]:
        """Learned scalars by name, detached; empty for a form without any."""
        return {}


ENERGIES: Registry[Energy] = Registry("energy form")


def everywhere(r: Tensor) -> Tensor:
    """True of the shape of r: increasing whatever R_E is."""
    return torch.ones_like(r, dtype=torch.bool)
