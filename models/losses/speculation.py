"""Speculation penalty: no confident negatives, and no more predicted positives than there are."""

import torch
from torch import Tensor

from models.episode import Step
from models.losses.term import EVERY_SIDE, LOSSES, LossTerm, State, masked_mean


@LOSSES.register(
    "speculation",
    id="M32",
    name="speculation penalty",
    equation="mean_neg max(0, l - margin)^2 + prior (mean sigmoid(l) - mean y)^2",
    shapes="logit [E, Q], label [E, Q] -> scalar",
    source="rp04",
)
class Speculation(LossTerm):
    """mean_neg max(0, l - margin)^2 + prior (mean sigmoid(l) - mean y)^2 over all queries of the step.

    margin in logits; the prior is the step's own share of positives. Without negatives the first part is 0.
    """

    weight = "loss.speculation.weight"
    key = "speculation"
    reach = EVERY_SIDE

    def __init__(self, margin: float = 0.0, prior: float = 1.0) -> None:
        super().__init__()
        self.margin = margin
        self.prior = prior

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        positive = (step.label > 0.5).to(step.logit.dtype)
        confident = masked_mean(torch.relu(step.logit - self.margin).square(), 1 - positive)
        excess = masked_mean(torch.sigmoid(step.logit) - positive, torch.ones_like(positive))
        return confident + self.prior * excess.square(), {}
