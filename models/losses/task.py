"""Task losses on logits: adaptive class margins (IMMAX) and plain cross entropy."""

from abc import abstractmethod

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from models.episode import Step
from models.losses.registry import LOSSES
from models.losses.term import EVERY_SIDE, LossTerm, State, masked_mean


class TaskLoss(LossTerm):
    """The loss that every configuration lowers with weight 1, over a step or over one episode by itself."""

    key = "task"
    weight = "loss.task"
    order = 0
    in_phase1 = True
    ramps = False
    reads = frozenset({"logit", "label"})
    objectives = {("value", "SETG"): ("task loss", "down")}
    needs = frozenset()
    reach = EVERY_SIDE

    @abstractmethod
    def plain(self, logit: Tensor, label: Tensor, state: State) -> Tensor:
        """The same loss of pairs in one row: logit, label [n] -> scalar, computed in another way than by `forward`."""

    def parts(self, step: Step, state: State) -> dict[str, Tensor]:
        return {"value": self.plain(step.logit.flatten(), step.label.flatten(), state)}

    @abstractmethod
    def of_episodes(self, logit: Tensor, label: Tensor, state: State) -> Tensor:
        """The same loss of each episode by itself: logit, label [..., E, Q], Q >= 1 -> [..., E]."""


@LOSSES.register(
    "immax",
    id="M30",
    name="adaptive class margins",
    equation="1/2 (mean_pos softplus(-m/(2a)) + mean_neg softplus(-m/(2(1-a)))), m = +-l; "
    "a <- EMA of sqrt(S+)/(sqrt(S+)+sqrt(S-)), S+- = mean |u Psi'(u)|, Psi = softplus(-u)",
    shapes="logit [E, Q], label [E, Q], a scalar -> scalar",
    source="definitions, IMMAX; stands in for the loss of that name of source document 001; Cortes et al. 2025",
)
class Immax(TaskLoss):
    """1/2 (mean_pos softplus(-m/(2a)) + mean_neg softplus(-m/(2(1-a)))) with m = l for positives, -l for
    negatives.

    All queries of the step together. a = 1/2 is the class-balanced logistic loss; never negative. State: a,
    the EMA (momentum 0.9) of sqrt(S+)/(sqrt(S+)+sqrt(S-)) with S = class mean of |u| sigmoid(-u), u the
    scaled margin, kept in [0.05, 0.95]; no gradient through it. The a of before the step is used. In a
    one-class batch the absent class adds 0 and a stays; so does it when both S are 0 (all logits 0).
    """

    chosen = {"loss.task": "immax"}
    without = {"loss.task": "bce"}

    def __init__(self, momentum: float = 0.9, low: float = 0.05, high: float = 0.95) -> None:
        super().__init__()
        self.momentum = momentum
        self.low = low
        self.high = high

    def initial_state(self) -> State:
        return {"a": torch.tensor(0.5)}

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        a = state["a"].detach()
        positive = (step.label > 0.5).to(step.logit.dtype)
        negative = 1 - positive
        u_positive = step.logit / (2 * a)
        u_negative = -step.logit / (2 * (1 - a))
        loss = masked_mean(softplus(-u_positive), positive) + masked_mean(softplus(-u_negative), negative)
        return loss / 2, {"a": self._next(a, u_positive.detach(), u_negative.detach(), positive)}

    def plain(self, logit: Tensor, label: Tensor, state: State) -> Tensor:
        a = state["a"].detach().to(logit.dtype)
        total = logit.new_zeros(())
        for y, scaled in ((1.0, logit[label > 0.5] / (2 * a)), (0.0, logit[label <= 0.5] / (2 * (1 - a)))):
            of_class = binary_cross_entropy_with_logits(scaled, torch.full_like(scaled, y), reduction="sum")
            total = total + of_class / max(1, scaled.numel())
        return total / 2

    def of_episodes(self, logit: Tensor, label: Tensor, state: State) -> Tensor:
        """An absent class adds 0."""
        a = state["a"].detach().to(logit.dtype)
        positive = (label > 0.5).to(logit.dtype)
        losses = (softplus(-logit / (2 * a)), softplus(logit / (2 * (1 - a))))
        means = [
            (mask * loss).sum(-1) / mask.sum(-1).clamp(min=1)
            for loss, mask in zip(losses, (positive, 1 - positive), strict=True)
        ]
        return (means[0] + means[1]) / 2

    def _next(self, a: Tensor, u_positive: Tensor, u_negative: Tensor, positive: Tensor) -> Tensor:
        slope_positive = masked_mean((u_positive * torch.sigmoid(-u_positive)).abs(), positive).sqrt()
        slope_negative = masked_mean((u_negative * torch.sigmoid(-u_negative)).abs(), 1 - positive).sqrt()
        total = slope_positive + slope_negative
        target = slope_positive / torch.where(total > 0, total, 1.0)
        moved = (self.momentum * a + (1 - self.momentum) * target).clamp(self.low, self.high)
        two_classes = (positive.sum() > 0) & (positive.sum() < positive.numel())
        return torch.where(two_classes & (total > 0), moved.to(a.dtype), a)


@LOSSES.register(
    "bce",
    id="M30",
    name="binary cross entropy",
    equation="mean softplus(-m), m = l for positives, -l for negatives",
    shapes="logit [E, Q], label [E, Q] -> scalar",
    source="source document 001 (baseline)",
)
class BinaryCrossEntropy(TaskLoss):
    """mean softplus(-m) over all queries of the step: the negative log-likelihood, in nats; no query gives
    0."""

    chosen = {"loss.task": "bce"}

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        margin = torch.where(step.label > 0.5, step.logit, -step.logit)
        return masked_mean(softplus(-margin), torch.ones_like(margin)), {}

    def plain(self, logit: Tensor, label: Tensor, state: State) -> Tensor:
        return binary_cross_entropy_with_logits(logit, label.to(logit.dtype))

    def of_episodes(self, logit: Tensor, label: Tensor, state: State) -> Tensor:
        return softplus(torch.where(label > 0.5, -logit, logit)).mean(-1)
