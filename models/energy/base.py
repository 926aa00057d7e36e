"""The interface of an energy form: sequence potential U_I and environment resistance R_E make one logit."""

from abc import abstractmethod
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from models.environment.resistance import Resistance
from models.part import ModelPart
from models.registry import Registry, Settings
from models.sizes import Sizes


class Energy(ModelPart):
    """logit = energy(U_I, R_E, T).

    forward(u [E, Q], r [E, 1] or [E, Q], temperature [E, 1]) -> logit [E, Q], unbounded. Shapes that do not
    broadcast raise torch's RuntimeError; Q = 0 gives an empty logit; NaN passes through.

    An energy reads the environment through R_E alone, also where the form brings a map from z_E to R_E (`binding`). A
    Teacher's R_E, a fusion or a mean in its place therefore acts in every form.
    """

    acts: ClassVar[frozenset[str]]
    reads: ClassVar[frozenset[str]]
    """Where it acts and what it reads (`models.registry`)."""
    group = "G"
    nonnegative_resistance: ClassVar[bool]
    """R_E >= 0 is part of the form (a softplus makes it so)."""
    standardise_resistance: ClassVar[bool]
    """R_E is standardised over the training cell lines: the form has a scale gauge with R_E."""
    gate_closes: ClassVar[bool] = False
    """Of a form with a `gate`: where it is closed, the pairs of a cell line all have nearly the same probability."""

    @classmethod
    def arguments(cls, settings: Settings, sizes: Sizes) -> dict[str, Any]:
        """Constructor arguments: what stands beside the form in its block."""
        return ENERGIES.beside_choice(settings)

    def resistance(
        self, *, width: int, features: int, scope: Literal["cell", "sample"], rank: int
    ) -> Resistance:
        """The map from z_E [E, w] to R_E that the form reads."""
        return Resistance(
            width=width,
            features=features,
            scope=scope,
            rank=rank,
            nonnegative=self.nonnegative_resistance,
            standardise=self.standardise_resistance,
        )

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


ENERGIES: Registry[Energy] = Registry(
    "energy form", Energy, path="energy.form", group=Energy.group, plain="linear"
)


def everywhere(r: Tensor) -> Tensor:
    """True of the shape of r: increasing whatever R_E is."""
    return torch.ones_like(r, dtype=torch.bool)
