"""Speculation penalty: no confident negatives, and no more predicted positives than there are."""

import torch
from torch import Tensor

from models.episode import Step
from models.losses.registry import LOSSES
from models.losses.term import EVERY_SIDE, LossTerm, State, masked_mean


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

    key = "speculation"
    weight = "loss.speculation.weight"
    order = 20
    in_phase1 = True
    ramps = True
    reads = frozenset({"logit", "label"})
    objectives = {("value", "SETG"): ("penalty on speculation", "down")}
    needs = frozenset()
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

    def parts(self, step: Step, state: State) -> dict[str, Tensor]:
        negative = step.logit[step.label <= 0.5]
        over = negative.clamp(min=self.margin) - self.margin
        excess = step.logit.sigmoid().mean() - (step.label > 0.5).to(step.logit.dtype).mean()
        return {"value": (over * over).sum() / max(1, over.numel()) + self.prior * excess * excess}
