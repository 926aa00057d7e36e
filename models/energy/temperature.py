"""Temperatures: the scale T > 0 that every energy is divided by."""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from models.part import ModelPart
from models.registry import EVERYWHERE, Registry, Settings
from models.sizes import Sizes

SOFTPLUS_INVERSE_OF_ONE = math.log(math.e - 1.0)
LOWEST, HIGHEST = 0.01, 100.0
GRID = 61
"""Values of log T at which a loss is looked at before its minima are refined: a factor of 1.17 apart."""
ROUNDS = 12
"""Times that the bounds of a minimum are narrowed to a quarter: log T to 2e-8."""
FLAT = 1e-12
"""Difference of a mean negative log-likelihood (nats) over the whole range of T that is none."""


class Temperature(ModelPart):
    """forward(z_e [E, w] or None, episodes E) -> T [E, 1], positive.

    z_e is read by `per_cell` only. NaN in z_e passes through; E = 0 gives an empty T.
    """

    acts: ClassVar[frozenset[str]]
    reads: ClassVar[frozenset[str]]
    """Where it acts and what it reads (`models.registry`)."""
    group = "G"

    @classmethod
    def arguments(cls, settings: Settings, sizes: Sizes) -> dict[str, Any]:
        """Constructor arguments: what stands beside the mode in its block; `penalty` is the weight of a loss term."""
        beside = TEMPERATURES.beside_choice(settings)
        beside.pop("penalty", None)
        return beside

    @abstractmethod
    def forward(self, z_e: Tensor | None, episodes: int) -> Tensor:
        """T [E, 1]."""


TEMPERATURES: Registry[Temperature] = Registry(
    "temperature mode", Temperature, path="temperature.mode", group=Temperature.group, plain="fixed"
)


def fit(logit_at: Callable[[Tensor], Tensor], labels: Tensor) -> Tensor:
    """T that minimises mean softplus(-y l(T)), y in {-1, +1}, over validation pairs.

    logit_at: T [] -> logits of the shape of labels, in the way that the energy takes T: l(1) / T where T divides the whole
    logit, another function in `binding` and `blocking`. labels 0/1 -> scalar float64 in [0.01, 100]. The loss need not be
    convex in T nor have one minimum: log T is searched on a grid of GRID values, and around each of its lowest points by
    a bounded search between the neighbours. Perfectly separated pairs give the lower bound, logits that rank no better
    than chance the upper one. No pairs, one class only, or logits that T does not move leave T undefined: 1. Pure:
    changes nothing.

    Raises ValueError for shapes that differ or logits that are not finite.
    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks"; source document 003.
    """
    target = labels.detach().double()
    one = torch.ones((), dtype=torch.float64)

    def loss(log_t: float) -> float:
        logits = logit_at(torch.tensor(log_t, dtype=torch.float64).exp()).detach().double()
        return float(softplus((1 - 2 * target) * logits).mean())

    logits = logit_at(one).detach()
    if logits.shape != labels.shape:
        raise ValueError(f"logits {tuple(logits.shape)} and labels {tuple(labels.shape)} differ in shape")
    if not torch.isfinite(logits).all():
        raise ValueError("logits to calibrate on are not finite")
    if target.numel() == 0 or target.min() == target.max():
        return one
    grid = torch.linspace(math.log(LOWEST), math.log(HIGHEST), GRID, dtype=torch.float64).tolist()
    at_grid = [loss(log_t) for log_t in grid]
    if max(at_grid) - min(at_grid) <= FLAT:
        return one
    lowest = [
        _narrowed(loss, grid[max(k - 1, 0)], grid[min(k + 1, GRID - 1)])
        for k, value in enumerate(at_grid)
        if value <= min(at_grid[max(k - 1, 0) : k + 2])
    ]
    return torch.tensor(min(lowest)[1], dtype=torch.float64).exp()


def _narrowed(loss: Callable[[float], float], low: float, high: float) -> tuple[float, float]:
    """(loss, log T) of the minimum within bounds that hold one: the lowest of nine points, then between its neighbours."""
    for _ in range(ROUNDS):
        points = [low + (high - low) * k / 8 for k in range(9)]
        losses = [loss(point) for point in points]
        best = losses.index(min(losses))
        low, high = points[max(best - 1, 0)], points[min(best + 1, 8)]
    return losses[best], points[best]


@TEMPERATURES.register(
    "fixed",
    id="M15",
    name="fixed temperature",
    equation="T = value",
    shapes="-> [E, 1]",
    source="source document 001",
)
class FixedTemperature(Temperature):
    """T = value for every cell line; nothing is learned. Raises ValueError unless value > 0."""

    acts = EVERYWHERE
    reads = frozenset()

    def __init__(self, value: float = 1.0) -> None:
        super().__init__()
        if not value > 0:
            raise ValueError(f"temperature {value} is not positive")
        self.register_buffer("value", torch.tensor(float(value)), persistent=False)
        self.value: Tensor

    def forward(self, z_e: Tensor | None, episodes: int) -> Tensor:
        return self.value.expand(episodes, 1)


@TEMPERATURES.register(
    "learned",
    id="M15",
    name="learned temperature",
    equation="T = softplus(t), t = ln(e - 1) at initialisation: T = 1",
    shapes="-> [E, 1]; t scalar",
    source="source document 003",
)
class LearnedTemperature(Temperature):
    """T = softplus(t), one for all cell lines, exactly 1 at initialisation."""

    acts = EVERYWHERE
    reads = frozenset()

    def __init__(self) -> None:
        super().__init__()
        self.t = nn.Parameter(torch.empty(()))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.constant_(self.t, SOFTPLUS_INVERSE_OF_ONE)

    def forward(self, z_e: Tensor | None, episodes: int) -> Tensor:
        return softplus(self.t).expand(episodes, 1)


@TEMPERATURES.register(
    "per_cell",
    id="M15",
    name="temperature per cell line",
    equation="T(c) = softplus(<v, z_E(c)> + t), v = 0 and t = ln(e - 1) at initialisation: T = 1",
    shapes="z_e [E, w] -> [E, 1]; v [w], t scalar",
    source="source documents 001 and 004",
)
class PerCellTemperature(Temperature):
    """T(c) = softplus(linear(z_E(c))), exactly 1 at initialisation.

    Together with a cell-scope R_E one absorbs the other (source document 000 forbids the pair; definitions,
    Gauge). Raises ValueError when z_e is None.
    """

    acts = EVERYWHERE
    reads = frozenset({"z_e"})

    @classmethod
    def arguments(cls, settings: Settings, sizes: Sizes) -> dict[str, Any]:
        return super().arguments(settings, sizes) | {"width": sizes.width}

    def __init__(self, width: int) -> None:
        super().__init__()
        self.v = nn.Parameter(torch.empty(width))
        self.t = nn.Parameter(torch.empty(()))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.v)
        nn.init.constant_(self.t, SOFTPLUS_INVERSE_OF_ONE)

    def forward(self, z_e: Tensor | None, episodes: int) -> Tensor:
        if z_e is None:
            raise ValueError("a temperature per cell line needs z_E, and there is no environment")
        return softplus((z_e * self.v).sum(-1, keepdim=True) + self.t)


@TEMPERATURES.register(
    "calibrated",
    id="M15",
    name="calibrated temperature",
    equation="T = 1 in training; afterwards argmin_T of the negative log-likelihood of the energy at T on validation",
    shapes="-> [E, 1]; fit: (T -> logits [N]), labels [N] -> scalar",
    source="source document 004; Guo et al. 2017",
)
class CalibratedTemperature(Temperature):
    """T = 1 wherever the model runs; `fit` then finds on validation pairs the T that the energy takes in its place."""

    acts = frozenset({"prediction_known", "prediction_unseen"})
    reads = frozenset({"labels"})
    fit = staticmethod(fit)

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("value", torch.tensor(1.0), persistent=False)
        self.value: Tensor

    def forward(self, z_e: Tensor | None, episodes: int) -> Tensor:
        return self.value.expand(episodes, 1)
