"""Terms that hold a quantity in place: sparsity, calibration of U_I, temperature towards 1."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss

from models.episode import Step
from models.losses.registry import LOSSES
from models.losses.term import ENVIRONMENT, SEQUENCE, STUDENT, LossTerm, State
from models.sizes import Sizes


@LOSSES.register(
    "sparsity_z_i",
    id="M39",
    name="sparsity of z_I",
    equation="mean |z_I|",
    shapes="z_i [E, Q, d] -> scalar",
    source="source document 003",
)
class SparsityZi(LossTerm):
    """mean |z_I| over queries and dimensions."""

    key = "sparsity_z_i"
    weight = "loss.sparsity.z_i"
    order = 90
    in_phase1 = True
    ramps = True
    reads = frozenset({"z_i"})
    objectives = {("value", "S"): ("mean |z_I|", "down")}
    needs = frozenset()
    reach = SEQUENCE

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        return step.z_i.abs().mean(), {}

    def parts(self, step: Step, state: State) -> dict[str, Tensor]:
        return {"value": l1_loss(step.z_i, torch.zeros_like(step.z_i))}


@LOSSES.register(
    "sparsity_z_e",
    id="M39",
    name="sparsity of z_E",
    equation="mean |z_E|",
    shapes="z_e [E, w] -> scalar",
    source="source document 003",
)
class SparsityZe(LossTerm):
    """mean |z_E| over episodes and dimensions."""

    key = "sparsity_z_e"
    weight = "loss.sparsity.z_e"
    order = 100
    in_phase1 = False
    ramps = True
    reads = frozenset({"z_e"})
    objectives = {("value", "ET"): ("mean |z_E|", "down")}
    needs = frozenset({"z_e"})
    reach = ENVIRONMENT

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        return step.z_e.abs().mean(), {}

    def parts(self, step: Step, state: State) -> dict[str, Tensor]:
        return {"value": l1_loss(step.z_e, torch.zeros_like(step.z_e))}


@LOSSES.register(
    "sparsity_r",
    id="M39",
    name="sparsity of R_E",
    equation="mean |R_E|",
    shapes="r [E, 1] | [E, Q] -> scalar",
    source="source document 001; source document 004 calls it contradictory",
)
class SparsityR(LossTerm):
    """mean |R_E|: asks the environment not to act, so it is off unless asked for."""

    key = "sparsity_r"
    weight = "loss.sparsity.r"
    order = 110
    in_phase1 = False
    ramps = True
    reads = frozenset({"r"})
    objectives = {("value", "ET"): ("mean |R_E|", "down")}
    needs = frozenset({"z_e"})
    reach = ENVIRONMENT

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        return step.r.abs().mean(), {}

    def parts(self, step: Step, state: State) -> dict[str, Tensor]:
        return {"value": l1_loss(step.r, torch.zeros_like(step.r))}


@LOSSES.register(
    "sparsity_groups",
    id="M07",
    name="group sparsity of the sequence side",
    equation="sum_o sqrt(p_o) ||w_o||_2 / sum_o p_o over output channels o with p_o weights",
    shapes="channel_norm [n], channel_size [n] -> scalar",
    source="source document 004; Yuan and Lin 2006, group lasso",
)
class SparsityGroups(LossTerm):
    """Group lasso over the output channels of the sequence side's matrices, per weight.

    sqrt(p) ||w|| is p times the root mean square of a channel's p weights, so the value is the mean of that root
    mean square over all weights: it does not grow with the model, and a lone weight costs its size. Whole channels
    are driven towards 0 together, which leaves a smaller network; steps of a gradient optimiser bring them near 0
    and not onto it. Raises ValueError for a step without the channels of the sequence side.
    """

    key = "sparsity_groups"
    weight = "loss.sparsity.groups"
    order = 120
    in_phase1 = True
    ramps = True
    reads = frozenset({"channel_norm", "channel_size"})
    objectives = {("value", "S"): ("norms of output channels", "down")}
    needs = frozenset()
    reach = SEQUENCE

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        return (step.channel_size.sqrt() * step.channel_norm).sum() / step.channel_size.sum(), {}

    def parts(self, step: Step, state: State) -> dict[str, Tensor]:
        share = step.channel_size / step.channel_size.sum()
        return {"value": share @ (step.channel_norm / step.channel_size.sqrt())}


@LOSSES.register(
    "calibration",
    id="M39",
    name="calibration of U_I",
    equation="max(0, |mean U_I| - m)^2 + max(0, v_low - var U_I)^2 + max(0, var U_I - v_high)^2",
    shapes="u [E, Q] -> scalar",
    source="source document 001; definitions, Gauge",
)
class Calibration(LossTerm):
    """Squared hinges that keep the mean of U_I in [-m, m] and its biased variance in [v_low, v_high] over
    the step.

    Fixes the scale gauge between U_I and a learned T. Raises ValueError for variance_low > variance_high.
    """

    key = "calibration"
    weight = "loss.calibration.weight"
    order = 130
    in_phase1 = True
    ramps = True
    reads = frozenset({"u"})
    objectives = {("value", "S"): ("excess of mean and variance of U_I", "down")}
    needs = frozenset()
    reach = SEQUENCE

    def __init__(self, mean: float = 1.0, variance_low: float = 0.5, variance_high: float = 2.0) -> None:
        super().__init__()
        if variance_low > variance_high:
            raise ValueError(f"variance_low {variance_low} is above variance_high {variance_high}")
        self.mean = mean
        self.variance_low = variance_low
        self.variance_high = variance_high

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        centre = torch.relu(step.u.mean().abs() - self.mean).square()
        variance = step.u.var(correction=0)
        low = torch.relu(self.variance_low - variance).square()
        high = torch.relu(variance - self.variance_high).square()
        return centre + low + high, {}

    def parts(self, step: Step, state: State) -> dict[str, Tensor]:
        mean = step.u.sum() / step.u.numel()
        variance = mse_loss(step.u, mean.expand_as(step.u))
        beyond = (
            mean - self.mean,
            -self.mean - mean,
            self.variance_low - variance,
            variance - self.variance_high,
        )
        return {"value": torch.stack([excess.clamp(min=0) ** 2 for excess in beyond]).sum()}


@LOSSES.register(
    "temperature",
    id="M15",
    name="temperature penalty",
    equation="mean (T - 1)^2",
    shapes="temperature [E, 1] -> scalar",
    source="source document 003",
)
class TemperaturePenalty(LossTerm):
    """mean (T - 1)^2 over episodes; reaches T's own parameters, and z_E where T is predicted from it
    (per_cell)."""

    key = "temperature"
    weight = "temperature.penalty"
    order = 140
    in_phase1 = False
    ramps = True
    reads = frozenset({"temperature"})
    objectives = {("value", "GE"): ("(T - 1)^2", "down")}
    needs = frozenset()
    reach = frozenset({"G"})
    wider = {("temperature.mode", "per_cell"): STUDENT}

    @classmethod
    def arguments(cls, settings: Mapping[str, Any], sizes: Sizes) -> dict[str, Any]:
        return {"per_cell": settings["temperature"]["mode"] == "per_cell"}

    def __init__(self, per_cell: bool = False) -> None:
        super().__init__()
        if per_cell:
            self.reach = self.reach | STUDENT

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        return (step.temperature - 1).square().mean(), {}

    def parts(self, step: Step, state: State) -> dict[str, Tensor]:
        return {"value": mse_loss(step.temperature, torch.ones_like(step.temperature))}
