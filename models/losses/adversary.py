"""Domain adversary on z_I through a gradient reversal (GRL)."""

from abc import abstractmethod

from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax

from models.episode import Step
from models.losses.registry import LOSSES
from models.losses.term import LossTerm, State, masked_mean


def reverse_gradient(x: Tensor) -> Tensor:
    """x forward, -1 times the gradient backward: 2 sg(x) - x, which is exact and composes with torch.func."""
    return 2 * x.detach() - x


class CellLineAdversary(LossTerm):
    """-mean log softmax(scores(reverse(z_I)))[cell line]: a classifier learns to tell cell lines, z_I learns not to let it.

    Queries of no training cell line (-1) do not count. The classifier's parameters are of group A.
    """

    in_phase1 = False
    ramps = True
    objectives = {("classifier", "A"): ("cross entropy", "down"), ("reversal", "S"): ("cross entropy", "up")}
    needs = frozenset({"cell_lines"})
    takes = ("cell_lines", "features")
    reach = frozenset({"S", "A"})

    @abstractmethod
    def scores(self, z_i: Tensor, step: Step) -> Tensor:
        """Logits [E, Q, C] of the cell lines, of the reversed z_I [E, Q, d] of a step."""

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        log_share = log_softmax(self.scores(reverse_gradient(step.z_i), step), -1)
        of_line = log_share.gather(-1, step.query_cell.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        return masked_mean(-of_line, (step.query_cell >= 0).to(of_line.dtype)), {}

    def parts(self, step: Step, state: State) -> dict[str, Tensor]:
        """The cross entropy without reversal, of both parts."""
        known = step.query_cell >= 0
        told = self.scores(step.z_i, step)[known]
        value = cross_entropy(told, step.query_cell[known], reduction="sum") / max(1, told.shape[0])
        return {"classifier": value, "reversal": value}


@LOSSES.register(
    "grl",
    id="M33",
    name="gradient-reversal adversary",
    equation="cross entropy of classifier(reverse(z_I)) with the cell line; reverse(x) = 2 sg x - x",
    shapes="z_i [E, Q, d], query_cell [E, Q] -> scalar",
    source="source documents 002 and 004; Ganin and Lempitsky 2015",
)
class GradientReversal(CellLineAdversary):
    """-mean log softmax(f(reverse(z_I)))[cell line]: f learns to tell cell lines, z_I learns not to let it.

    f: linear - ReLU - linear, d -> d -> C, group A. The value is the classifier's cross entropy in nats (ln
    C: it tells nothing). Queries of no training cell line (-1) do not count.

    What it does not certify: that z_I tells nothing of the cell line. A fresh classifier may do better than
    this one, and a value far above ln C says that z_I deceives the classifier faster than it learns, not that z_I
    is clean. Where shares of positives differ between cell lines, a z_I that predicts y cannot reach ln C.
    """

    key = "grl"
    weight = "decouple.grl"
    order = 200
    reads = frozenset({"z_i", "query_cell"})
    permutes = "query_cell"

    def __init__(self, cell_lines: int, features: int) -> None:
        super().__init__()
        self.classifier = nn.Sequential(
            nn.Linear(features, features), nn.ReLU(), nn.Linear(features, cell_lines)
        )

    def scores(self, z_i: Tensor, step: Step) -> Tensor:
        scores: Tensor = self.classifier(z_i)
        return scores
