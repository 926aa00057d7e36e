"""Permutation-invariant encoders of a set: mean, moments, attention pooling, Set Transformer (ISAB)."""

import math
from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from models.registry import EVERYWHERE, Registry, Settings
from models.sizes import Sizes

HEADS = 4


class SetEncoder(nn.Module):
    """forward(x [E, S, inputs]) -> [E, width], the same for every order of the S elements.

    Inner width h = width rounded up to a multiple of 4, at least 16. S = 0 raises ValueError; NaN in an
    element makes its own episode's output NaN.
    """

    acts: ClassVar[frozenset[str]]
    reads: ClassVar[frozenset[str]]
    """Where it acts and what it reads (`models.registry`)."""
    averages: ClassVar[bool] = False
    """Whether the elements enter in averages alone: a set that stands twice gives the same, and every element counts."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.inputs = inputs
        self.width = width
        self.hidden = max(16, HEADS * math.ceil(width / HEADS))

    @classmethod
    def arguments(cls, settings: Settings, sizes: Sizes) -> dict[str, Any]:
        """Constructor arguments: `sizes.inputs` numbers per element, and the width of z_E."""
        return {"inputs": sizes.inputs, "width": sizes.width}

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """[E, S, inputs] -> [E, width] for S >= 1."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-2] == 0:
            raise ValueError("a support set is empty: there is nothing to encode")
        return self.encode(x)


SET_ENCODERS: Registry[SetEncoder] = Registry(
    "set encoder",
    SetEncoder,
    path="environment.encoder",
    group="E",
    beside={"environment.source": "support"},
    plain="mean",
)


def perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """linear(GELU(linear(x))): [..., inputs] -> [..., outputs]."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, outputs))


class AttentionBlock(nn.Module):
    """MAB(x, y) = LN(h + rFF(h)), h = LN(q + softmax(q k' / sqrt(h/4)) v), with q from x and k, v from y.

    x [E, n, h], y [E, m, h] -> [E, n, h]; 4 heads. Source: Lee et al. 2019, "Set Transformer", eq. 6 and 7.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.query = nn.Linear(hidden, hidden)
        self.key = nn.Linear(hidden, hidden)
        self.value = nn.Linear(hidden, hidden)
        self.feed = nn.Linear(hidden, hidden)
        self.norm_attention = nn.LayerNorm(hidden)
        self.norm_feed = nn.LayerNorm(hidden)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        q = self.query(x)
        heads = [t.unflatten(-1, (HEADS, -1)).transpose(-3, -2) for t in (q, self.key(y), self.value(y))]
        score = heads[0] @ heads[1].transpose(-1, -2) / math.sqrt(heads[0].shape[-1])
        mixed = (score.softmax(-1) @ heads[2]).transpose(-3, -2).flatten(-2)
        h = self.norm_attention(q + mixed)
        return self.norm_feed(h + torch.relu(self.feed(h)))


class AttentionPool(nn.Module):
    """PMA(x) = MAB(s, x) with one learned seed s: [E, S, h] -> [E, h]. Source: Lee et al. 2019, eq. 10."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.seed = nn.Parameter(torch.empty(1, hidden))
        self.block = AttentionBlock(hidden)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.xavier_uniform_(self.seed)

    def forward(self, x: Tensor) -> Tensor:
        seed = self.seed.expand(*x.shape[:-2], *self.seed.shape)
        return self.block(seed, x).squeeze(-2)


class InducedBlock(nn.Module):
    """ISAB(x) = MAB(x, MAB(i, x)) with m learned inducing points i [m, h]: [E, S, h] -> [E, S, h], O(S m).

    Source: Lee et al. 2019, eq. 8 and 9.
    """

    def __init__(self, hidden: int, inducing: int) -> None:
        super().__init__()
        self.points = nn.Parameter(torch.empty(inducing, hidden))
        self.gather = AttentionBlock(hidden)
        self.spread = AttentionBlock(hidden)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.xavier_uniform_(self.points)

    def forward(self, x: Tensor) -> Tensor:
        points = self.points.expand(*x.shape[:-2], *self.points.shape)
        return self.spread(x, self.gather(points, x))


@SET_ENCODERS.register(
    "mean",
    id="M22",
    name="mean of element features",
    equation="z = rho(mean_s phi(x_s))",
    shapes="[E, S, inputs] -> [E, width]",
    source="Zaheer et al. 2017, Deep Sets; source document 001",
)
class MeanEncoder(SetEncoder):
    """z = rho(mean_s phi(x_s)), phi and rho two-layer perceptrons."""

    acts = EVERYWHERE
    reads = frozenset({"support"})
    averages = True

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(inputs, width)
        self.phi = perceptron(inputs, self.hidden, self.hidden)
        self.rho = perceptron(self.hidden, self.hidden, width)

    def encode(self, x: Tensor) -> Tensor:
        return self.rho(self.phi(x).mean(-2))


@SET_ENCODERS.register(
    "moments",
    id="M22",
    name="mean and spread of element features",
    equation="z = rho([mean_s f_s, sd_s f_s]), f_s = [x_s, phi(x_s)]",
    shapes="[E, S, inputs] -> [E, width]",
    source="source documents 001 and 002",
)
class MomentsEncoder(SetEncoder):
    """z = rho([mean_s f_s, sd_s f_s]), f_s = [x_s, phi(x_s)]; sd = sqrt(biased variance + 1e-6).

    S = 1 has no spread: sd = 1e-3.
    """

    acts = EVERYWHERE
    reads = frozenset({"support"})
    averages = True

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(inputs, width)
        self.phi = perceptron(inputs, self.hidden, self.hidden)
        self.rho = perceptron(2 * (inputs + self.hidden), self.hidden, width)

    def encode(self, x: Tensor) -> Tensor:
        features = torch.cat([x, self.phi(x)], -1)
        spread = (features.var(-2, correction=0) + 1e-6).sqrt()
        return self.rho(torch.cat([features.mean(-2), spread], -1))


@SET_ENCODERS.register(
    "attention",
    id="M22",
    name="attention pooling",
    equation="z = linear(PMA(phi(x)))",
    shapes="[E, S, inputs] -> [E, width]",
    source="Lee et al. 2019, Set Transformer, eq. 10; source document 002",
)
class AttentionEncoder(SetEncoder):
    """z = linear(PMA(phi(x))): one learned seed attends over the elements."""

    acts = EVERYWHERE
    reads = frozenset({"support"})
    averages = True

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(inputs, width)
        self.phi = perceptron(inputs, self.hidden, self.hidden)
        self.pool = AttentionPool(self.hidden)
        self.out = nn.Linear(self.hidden, width)

    def encode(self, x: Tensor) -> Tensor:
        return self.out(self.pool(self.phi(x)))


@SET_ENCODERS.register(
    "isab",
    id="M22",
    name="Set Transformer with inducing points",
    equation="z = linear(PMA(ISAB(ISAB(linear(x)))))",
    shapes="[E, S, inputs] -> [E, width]; inducing points [m, h]",
    source="Lee et al. 2019, Set Transformer; source document 002",
)
class InducedEncoder(SetEncoder):
    """z = linear(PMA(ISAB(ISAB(linear(x))))) with m inducing points: elements see each other."""

    acts = EVERYWHERE
    reads = frozenset({"support"})
    averages = True

    @classmethod
    def arguments(cls, settings: Settings, sizes: Sizes) -> dict[str, Any]:
        return super().arguments(settings, sizes) | {"inducing": settings["environment"]["inducing"]}

    def __init__(self, inputs: int, width: int, inducing: int = 32) -> None:
        super().__init__(inputs, width)
        self.enter = nn.Linear(inputs, self.hidden)
        self.first = InducedBlock(self.hidden, inducing)
        self.second = InducedBlock(self.hidden, inducing)
        self.pool = AttentionPool(self.hidden)
        self.out = nn.Linear(self.hidden, width)

    def encode(self, x: Tensor) -> Tensor:
        return self.out(self.pool(self.second(self.first(self.enter(x)))))
