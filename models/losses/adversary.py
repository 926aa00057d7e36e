"""Domain adversary on z_I through a gradient reversal (GRL)."""

from torch import Tensor, nn
from torch.nn.functional import log_softmax

from models.episode import Step
from models.losses.term import LOSSES, LossTerm, State, masked_mean


def reverse_gradient(x: Tensor) -> Tensor:
    """x forward, -1 times the gradient backward: 2 sg(x) - x, which is exact and composes with torch.func."""
    return 2 * x.detach() - x


@LOSSES.register(
    "grl",
    id="M33",
    name="gradient-reversal adversary",
    equation="cross entropy of classifier(reverse(z_I)) with the cell line; reverse(x) = 2 sg x - x",
    shapes="z_i [E, Q, d], query_cell [E, Q] -> scalar",
    source="seeds 002 and 004; Ganin and Lempitsky 2015",
)
class GradientReversal(LossTerm):
    """-mean log softmax(f(reverse(z_I)))[cell line]: f learns to tell cell lines, z_I learns not to let it.

    f: linear - ReLU - linear, d -> d -> C, group A. The value is the classifier's cross entropy in nats (ln
    C: it tells nothing). Queries of no training cell line (-1) do not count.

    What it does not certify: that z_I tells nothing of the cell line. A fresh classifier may do better than
    this one, and a value far above ln C says that z_I deceives the classifier faster than it learns, not that z_I
    is clean. Where shares of positives differ between cell lines, a z_I that predicts y cannot reach ln C.
    """

    weight = "decouple.grl"
    needs = frozenset({"cell_lines"})
    key = "grl"
    reach = frozenset({"S", "A"})

    def __init__(self, cell_lines: int, features: int) -> None:
        super().__init__()
        self.classifier = nn.Sequential(
            nn.Linear(features, features), nn.ReLU(), nn.Linear(features, cell_lines)
        )

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        scores = log_softmax(self.classifier(reverse_gradient(step.z_i)), -1)
        own = scores.gather(-1, step.query_cell.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        return masked_mean(-own, (step.query_cell >= 0).to(own.dtype)), {}
