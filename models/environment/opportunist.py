"""The Opportunist (Student 2): what the shallow statistics of a support set alone say of a cell line."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from models.declared import POSITIVE, declare
from models.environment.set_encoders import perceptron
from models.registry import TRAINING

HIDDEN = 32
"""Units of the hidden layer."""


class Opinion(NamedTuple):
    """z [E, w]: the Opportunist's representation without its part along the head, (1 - h h' / |h|^2) z_O, which is
    how it tells support sets apart beyond what it says of their resistance; r [E]: its resistance R_O, in the units
    of R_E."""

    z: Tensor
    r: Tensor


class Opportunist(nn.Module):
    """z_O = linear(GELU(linear(x))), R_O = f(linear(z_O)) (M27), x the standardised mean of shallow statistics.

    x [E, f]: means over a support set of GC content, k-mer composition, length and U_I, standardised over support
    sets (see `Standardiser`); no z_I, no label, no name. f = softplus where R_E is non-negative, else the identity:
    an Opportunist has its own scale, so it needs no standardisation against the training cell lines.
    Shapes: x [E, f] -> Opinion(z [E, w], r [E]). NaN in x stays in its own episode. Group A: it belongs to the
    competition term, and what it says never enters a prediction.
    Source: source documents 000 and 001 (Student 2, kept as a probe for shortcuts).
    """

    def __init__(self, statistics: int, width: int, nonnegative: bool = False) -> None:
        super().__init__()
        self.nonnegative = nonnegative
        self.look = perceptron(statistics, HIDDEN, width)
        self.head = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Opinion:
        z = self.look(x)
        raw = self.head(z).squeeze(-1)
        direction = self.head.weight / (self.head.weight.square().sum() + 1e-12).sqrt()
        beside = z - (z @ direction.T) * direction
        return Opinion(beside, softplus(raw) if self.nonnegative else raw)


class Standardiser(NamedTuple):
    """Running mean and mean square of f statistics over support sets, as explicit state without gradient.

    mean, square [f]: sums with weights momentum^age, not yet divided by weight [] = 1 - momentum^steps.
    """

    mean: Tensor
    square: Tensor
    weight: Tensor

    @classmethod
    def initial(cls, statistics: int) -> "Standardiser":
        """Nothing seen yet."""
        return cls(torch.zeros(statistics), torch.zeros(statistics), torch.zeros(()))

    def update(self, x: Tensor, momentum: float) -> "Standardiser":
        """After a step of E support sets with means x [E, f]."""
        now = x.detach().to(self.mean.dtype)
        parts = (now.mean(0), now.square().mean(0), torch.ones_like(self.weight))
        return Standardiser(
            *(momentum * old + (1 - momentum) * new for old, new in zip(self, parts, strict=True))
        )

    def apply(self, x: Tensor) -> Tensor:
        """(x - m) / sqrt(v + 1e-8), kept in [-5, 5]; 0 before the first update. [E, f] -> [E, f]."""
        weight = self.weight.clamp(min=1e-12)
        mean, square = (self.mean / weight).to(x.dtype), (self.square / weight).to(x.dtype)
        scaled = (x - mean) / ((square - mean.square()).clamp(min=0) + 1e-8).sqrt()
        return torch.where(self.weight > 0, scaled.clamp(-5, 5), torch.zeros_like(x))


declare(
    "M27", "opportunist", kind="opportunist", name="Opportunist (Student 2)",
    when={"loss.competition.weight": POSITIVE},
    equation="R_O(c) = f(linear(z_O)), z_O = linear(GELU(linear(x))), x the standardised mean over S_c of GC content, "
        "k-mers, length and U_I",
    shapes="shallow [E, S, f] -> z_O [E, w], r_O [E]", source="source documents 000 and 001", group="A", cls=Opportunist,
    acts=TRAINING, reads=frozenset({"shallow"}),
    without={"loss.competition.weight": 0.0},
)  # fmt: skip
