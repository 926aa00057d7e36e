"""Negative log prior of the resistances (M28 as a loss)."""

from torch import Tensor

from models.episode import Step
from models.losses.registry import LOSSES
from models.losses.term import ENVIRONMENT, LossTerm, State


@LOSSES.register(
    "gp_prior",
    id="M28",
    name="negative log Gaussian-process prior",
    equation="-(1/E) log N(raw R_E; m, K + n I), K over v_c or z_E",
    shapes="log_prior [] -> scalar in nats per episode",
    source="source document 004, Bayesian non-parametric prior",
)
class GpPrior(LossTerm):
    """-log density of this step's raw R_E under the Gaussian process over cell lines: similar ones, similar R_E.

    Its gradient passes through raw R_E alone. Can be negative (a density).
    """

    key = "gp_prior"
    weight = "loss.gp_prior.weight"
    order = 60
    in_phase1 = False
    ramps = True
    reads = frozenset({"log_prior"})
    objectives = {("value", "ET"): ("negative log density of raw R_E", "down")}
    needs = frozenset({"prior", "single_line_support"})
    reach = ENVIRONMENT

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        return -step.log_prior, {}

    def parts(self, step: Step, state: State) -> dict[str, Tensor]:
        return {"value": 0.0 - step.log_prior}
