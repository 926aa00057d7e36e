"""Mutual information of z_I and z_E by InfoNCE: a critic raises the lower bound, the sides lower it."""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from models.episode import Step
from models.losses.adversary import reverse_gradient
from models.losses.contrastive import MASKED
from models.losses.decoupling import Decoupling, unit_variance
from models.losses.registry import LOSSES
from models.losses.term import ENVIRONMENT, OWN, State

HIDDEN = 32


def infonce_bound(scores: Tensor, weight: Tensor) -> Tensor:
    """sum_n w_n (f_nn - ln sum_m w_m exp f_nm) in nats, of scores f [n, n] and weights [n] that sum to 1.

    Never above -sum_n w_n ln w_n, which is ln N for equal weights, whatever the scores: a sample is among its own
    candidates. A sample of weight 0 does not count.
    """
    log_weight = torch.where(weight > 0, weight.clamp(min=1e-30).log(), MASKED)
    return weight @ (scores.diagonal() - (scores + log_weight).logsumexp(1))


@LOSSES.register(
    "infonce",
    id="M33",
    name="InfoNCE estimate of mutual information",
    equation="I = mean_n [f(x_n, y_n) - ln mean_m exp f(x_n, y_m)], f = <g(x), h(y)> / sqrt(32); "
    "minimised over x = z_I, y = z_E and maximised over g, h",
    shapes="z_i [E, Q, d], z_e [E, w] -> scalar in (-inf, ln N]",
    source="source document 004; van den Oord et al. 2018; Poole et al. 2019, eq. 10",
)
class InfoNce(Decoupling):
    """The InfoNCE bound in nats, with opposite gradients: descending on the value raises the bound over the critic's
    parameters (A) and lowers it over what the term may reach of z_I and z_E.

    g, h: linear - ReLU - linear to 32 dimensions, of the dimensions scaled to variance 1. Candidates of a sample
    are all samples of step and bank; samples of one episode share their z_E, so that with cell-scope z_E the value
    is at most the entropy of the episodes among the samples (ln of their number).

    What it does not certify: anything about independence. Lowering a lower bound bounds nothing: with a critic that
    lags behind, or more information than ln N, the mutual information stays while the value falls; and a critic that
    has met the bank's samples before overestimates it on them. A constant side has value 0 at most.
    """

    key = "infonce"
    weight = "decouple.infonce"
    order = 170
    objectives = {("sides", "SET"): ("estimate", "down"), ("critic", "A"): ("estimate", "up")}
    reach = ENVIRONMENT | OWN

    def __init__(
        self,
        features: int,
        width: int,
        reach: Literal["environment", "both"] = "environment",
        bank: int = 512,
    ) -> None:
        super().__init__(features, width, reach, bank)
        self.g = nn.Sequential(nn.Linear(features, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN))
        self.h = nn.Sequential(nn.Linear(width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN))

    def bound(self, x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        """The InfoNCE bound of samples of variance 1 with the present critic, gradients as autograd has them."""
        return infonce_bound(self.g(x) @ self.h(y).T / math.sqrt(HIDDEN), weight)

    def dependence(self, x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        # Reversed twice on the way to z_I and z_E, once on the way to the critic.
        x, y = (reverse_gradient(unit_variance(side, weight)) for side in (x, y))
        return reverse_gradient(self.bound(x, y, weight))

    def parts(self, step: Step, state: State) -> dict[str, Tensor]:
        """The estimate as ln N less a cross entropy, without reversal, of both parts."""
        x, y = (side / (side.var(0, correction=0) + 1e-8) ** 0.5 for side in self.samples(step, state))
        scores = self.g(x) @ self.h(y).T / HIDDEN**0.5
        value = math.log(len(scores)) - cross_entropy(scores, torch.arange(len(scores), device=scores.device))
        return {"sides": value, "critic": value}
