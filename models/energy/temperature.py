"""Temperatures: the scale T > 0 that every energy is divided by."""

import math
from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from models.registry import Registry

SOFTPLUS_INVERSE_OF_ONE = math.log(math.e - 1.0)
LOWEST, HIGHEST = 0.01, 100.0


class Temperature(nn.Module):
    """forward(z_e [E, w] or None, episodes E) -> T [E, 1], positive. Parameters are group G.

    z_e is read by `per_cell` only. NaN in z_e passes through; E = 0 gives an empty T.
    """

    @abstractmethod
    def forward(self, z_e: Tensor | None, episodes: int) -> Tensor:
        """T [E, 1]."""


TEMPERATURES: Registry[Temperature] = Registry("temperature mode")


def fit(logits: Tensor, labels: Tensor) -> Tensor:
    """T that minimises mean softplus(-y l / T), y in {-1, +1}: temperature scaling on validation pairs.

    logits, labels (0/1) of one shape -> scalar of the logits' dtype, in [0.01, 100]. The loss is convex in
    1/T, so the zero of its derivative mean((sigmoid(l/T) - label) l) is bisected on a log scale to float64
    accuracy; perfectly separated pairs give the lower bound, logits that rank no better than chance the
    upper one. No pairs, one class only, or logits that are all zero leave T undefined: 1. Pure: changes
    nothing.

    Raises ValueError for shapes that differ or logits that are not finite.
    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks"; seed 003.
    """
    if logits.shape != labels.shape:
        raise ValueError(f"logits {tuple(logits.shape)} and labels {tuple(labels.shape)} differ in shape")
    flat, target = logits.detach().double().flatten(), labels.detach().double().flatten()
    if not torch.isfinite(flat).all():
        raise ValueError("logits to calibrate on are not finite")
    if flat.numel() == 0 or target.min() == target.max() or not flat.any():
        return logits.new_ones(())
    low = flat.new_tensor(math.log(1 / HIGHEST))
    high = flat.new_tensor(math.log(1 / LOWEST))
    for _ in range(60):
        middle = (low + high) / 2
        too_sharp = ((torch.sigmoid(middle.exp() * flat) - target) * flat).mean() > 0
        low, high = torch.where(too_sharp, low, middle), torch.where(too_sharp, middle, high)
    return (-(low + high) / 2).exp().to(logits.dtype)


@TEMPERATURES.register(
    "fixed",
    id="M15",
    name="fixed temperature",
    equation="T = value",
    shapes="-> [E, 1]",
    source="seed 001",
)
class FixedTemperature(Temperature):
    """T = value for every cell line; nothing is learned. Raises ValueError unless value > 0."""

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
    source="seed 003",
)
class LearnedTemperature(Temperature):
    """T = softplus(t), one for all cell lines, exactly 1 at initialisation."""

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
    source="seeds 001 and 004",
)
class PerCellTemperature(Temperature):
    """T(c) = softplus(linear(z_E(c))), exactly 1 at initialisation.

    Together with a cell-scope R_E one absorbs the other (seed 000 forbids the pair; 09-definitions.md,
    Gauge). Raises ValueError when z_e is None.
    """

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
    equation="T = 1 in training; afterwards argmin_T of the negative log-likelihood on validation",
    shapes="-> [E, 1]; fit: logits [N], labels [N] -> scalar",
    source="seed 004; Guo et al. 2017",
)
class CalibratedTemperature(Temperature):
    """T = 1 wherever the model runs; `fit` then finds on validation logits the T to divide final logits
    by."""

    fit = staticmethod(fit)

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("value", torch.tensor(1.0), persistent=False)
        self.value: Tensor

    def forward(self, z_e: Tensor | None, episodes: int) -> Tensor:
        return self.value.expand(episodes, 1)
