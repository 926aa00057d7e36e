"""Mutual information of z_I and z_E from above: CLUB with a trained Gaussian conditional."""

from typing import Literal

import torch
from torch import Tensor, nn

from models.episode import Step
from models.losses.decoupling import Decoupling, unit_variance
from models.losses.registry import LOSSES
from models.losses.term import ENVIRONMENT, OWN, State

HIDDEN = 32
LARGEST = 4.0
"""Bound of |ln variance| of the conditional: no prediction is trusted beyond a variance of 0.018."""


def club_bound(y: Tensor, mean: Tensor, log_variance: Tensor, weight: Tensor) -> Tensor:
    """E_joint ln q(y|x) - E_marginals ln q(y|x) in nats for q = N(mean(x), diag exp log_variance(x)).

    y [n, w] centred under weights [n] that sum to 1; mean, log_variance [n, w]: of the conditional given the
    sample's own x. The second expectation is over all pairs (x_n, y_m), in closed form:
    sum_n w_n sum_j [v_j + mean_nj^2 - (y_nj - mean_nj)^2] / (2 exp log_variance_nj), v_j = sum_m w_m y_mj^2.
    """
    spread = weight @ y.square() + mean.square() - (y - mean).square()
    return weight @ (spread * torch.exp(-log_variance) / 2).sum(1)


def gaussian_nll(y: Tensor, mean: Tensor, log_variance: Tensor, weight: Tensor) -> Tensor:
    """-sum_n w_n ln N(y_n; mean_n, diag exp log_variance_n) without the constant: what the conditional minimises."""
    return weight @ ((y - mean).square() * torch.exp(-log_variance) + log_variance).sum(1) / 2


@LOSSES.register(
    "club",
    id="M33",
    name="CLUB upper bound of mutual information",
    equation="mean_n ln q(y_n|x_n) - mean_{n,m} ln q(y_m|x_n), q = N(mu(x), diag s^2(x)) fitted by maximum "
    "likelihood; x = z_I, y = z_E",
    shapes="z_i [E, Q, d], z_e [E, w] -> scalar in nats",
    source="source document 004; Cheng et al. 2020",
)
class Club(Decoupling):
    """The CLUB value in nats; its gradient on z_I and z_E (as far as it may reach) with q fixed, and that of
    q's negative log-likelihood on q's parameters (A): the conditional is fitted, never pushed to a small bound.

    q: linear - ReLU - linear from z_I to mean and ln s^2 of every dimension of z_E (both scaled to variance 1),
    ln s^2 within (-4, 4). For jointly Gaussian sides of unit variance and the true conditional the value is
    rho^2 / (1 - rho^2) per dimension, above the mutual information -ln(1 - rho^2) / 2.

    What it does not certify: it is an upper bound only while q is closer to the true conditional than the product
    of the marginals is (Cheng et al., theorem 3.2). A q that lags behind gives any number, negative ones included,
    and a value of 0 then says nothing. q is a diagonal Gaussian, and z_E has one value per episode.
    """

    key = "club"
    weight = "decouple.club"
    order = 180
    objectives = {
        ("bound", "SET"): ("bound", "down"),
        ("conditional", "A"): ("negative log-likelihood of z_E", "down"),
    }
    reach = ENVIRONMENT | OWN

    def __init__(
        self,
        features: int,
        width: int,
        reach: Literal["environment", "both"] = "environment",
        bank: int = 512,
    ) -> None:
        super().__init__(features, width, reach, bank)
        self.trunk = nn.Sequential(nn.Linear(features, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2 * width))

    def conditional(self, x: Tensor, *, fixed: bool = False) -> tuple[Tensor, Tensor]:
        """Mean and ln variance [n, w] of y given x [n, d]; with `fixed`, the parameters get no gradient."""
        parameters: dict[str, Tensor] = dict(self.trunk.named_parameters())
        if fixed:
            parameters = {name: value.detach() for name, value in parameters.items()}
        mean, raw = torch.func.functional_call(self.trunk, parameters, (x,)).chunk(2, -1)
        return mean, LARGEST * torch.tanh(raw / LARGEST)

    def dependence(self, x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        x, y = unit_variance(x, weight), unit_variance(y, weight)
        value = club_bound(y, *self.conditional(x, fixed=True), weight)
        fit = gaussian_nll(y.detach(), *self.conditional(x.detach()), weight)
        return value + (fit - fit.detach())

    def parts(self, step: Step, state: State) -> dict[str, Tensor]:
        """By log densities of all pairs of samples."""
        x, y = (side / (side.var(0, correction=0) + 1e-8) ** 0.5 for side in self.samples(step, state))
        mean, log_variance = self.conditional(x)
        density = torch.distributions.Normal(mean.unsqueeze(1), (log_variance / 2).exp().unsqueeze(1))
        of_pairs = density.log_prob(y).sum(-1)
        joint = of_pairs.diagonal().mean()
        return {"bound": joint - of_pairs.mean(), "conditional": -joint}
