"""Negative log prior of the resistances (M28 as a loss)."""

from torch import Tensor

from models.episode import Step
from models.losses.term import ENVIRONMENT, LOSSES, LossTerm, State


@LOSSES.register(
    "gp_prior",
    id="M28",
    name="negative log Gaussian-process prior",
    equation="-(1/E) log N(raw R_E; m, K + n I), K over v_c or z_E",
    shapes="log_prior [] -> scalar in nats per episode",
    source="seed 004, Bayesian non-parametric prior",
)
class GpPrior(LossTerm):
    """-log density of this step's raw R_E under the Gaussian process over cell lines: similar ones, similar R_E.

    Its gradient passes through raw R_E alone. Can be negative (a density).
    """

    weight = "loss.gp_prior.weight"
    needs = frozenset({"prior", "single_line_support"})
    key = "gp_prior"
    reach = ENVIRONMENT

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        if step.log_prior is None:
            raise ValueError("gp_prior needs environment.prior: the step carries no log_prior")
        return -step.log_prior, {}
