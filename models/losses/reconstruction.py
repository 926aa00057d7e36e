"""Reconstruction of the cell features from z_E (M21)."""

from torch import Tensor
from torch.nn.functional import mse_loss

from models.episode import Step
from models.losses.registry import LOSSES
from models.losses.term import ENVIRONMENT, LossTerm, State


@LOSSES.register(
    "reconstruction",
    id="M21",
    name="reconstruction of v_c",
    equation="mean (decoder(z_E(c)) - v_c)^2",
    shapes="v_decoded [E, F], v [E, F] -> scalar >= 0",
    source="source document 004",
)
class Reconstruction(LossTerm):
    """mean over episodes and features of (v'_c - v_c)^2, v_c standardised: 1 is what decoding nothing gives."""

    key = "reconstruction"
    weight = "loss.reconstruction.weight"
    order = 70
    in_phase1 = False
    ramps = True
    reads = frozenset({"v", "v_decoded"})
    permutes = "v"
    objectives = {("value", "ET"): ("squared error of v_c", "down")}
    needs = frozenset({"features"})
    reach = ENVIRONMENT

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        return (step.v_decoded - step.v).square().mean(), {}

    def parts(self, step: Step, state: State) -> dict[str, Tensor]:
        return {"value": mse_loss(step.v_decoded, step.v.to(step.v_decoded.dtype))}
