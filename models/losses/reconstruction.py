"""Reconstruction of the cell features from z_E (M21)."""

from torch import Tensor

from models.episode import Step
from models.losses.term import ENVIRONMENT, LOSSES, LossTerm, State


@LOSSES.register(
    "reconstruction",
    id="M21",
    name="reconstruction of v_c",
    equation="mean (decoder(z_E(c)) - v_c)^2",
    shapes="v_decoded [E, F], v [E, F] -> scalar >= 0",
    source="seed 004",
)
class Reconstruction(LossTerm):
    """mean over episodes and features of (v'_c - v_c)^2, v_c standardised: 1 is what decoding nothing gives."""

    weight = "loss.reconstruction.weight"
    needs = frozenset({"features"})
    key = "reconstruction"
    reach = ENVIRONMENT

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        if step.v is None or step.v_decoded is None:
            raise ValueError(
                "reconstruction needs environment.source: features: the step carries no v_decoded"
            )
        return (step.v_decoded - step.v).square().mean(), {}
