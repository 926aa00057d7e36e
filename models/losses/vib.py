"""The price of the information bottleneck on z_I."""

from torch import Tensor

from models.episode import Step
from models.losses.registry import LOSSES
from models.losses.term import SEQUENCE, LossTerm, State


@LOSSES.register(
    "vib",
    id="M33",
    name="information bottleneck on z_I",
    equation="mean_q KL(N(h_q, diag sigma_q^2) || N(0, I)), z_I = h + sigma eps in training and h in evaluation",
    shapes="kl [E, Q] -> scalar >= 0, nats per pair",
    source="source document 004; Alemi et al. 2017",
)
class Vib(LossTerm):
    """Mean price over the queries in nats, of the bottleneck on the sequence side (models.sequence.bottleneck).

    With the task loss this is the bottleneck's Lagrangian: I(z_I; y) large, I(z_I; sequences) small. The mean
    price bounds I(z_I; sequences), and with it I(z_I; cell line), from above in training; in evaluation z_I is
    its mean, of which the bound says nothing. Raises ValueError for a step without `kl`.
    """

    key = "vib"
    weight = "decouple.vib"
    order = 230
    in_phase1 = True
    ramps = True
    reads = frozenset({"kl"})
    objectives = {("value", "S"): ("price in nats", "down")}
    needs = frozenset()
    reach = SEQUENCE

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        return step.kl.mean(), {}

    def parts(self, step: Step, state: State) -> dict[str, Tensor]:
        return {"value": step.kl.sum() / step.kl.numel()}
