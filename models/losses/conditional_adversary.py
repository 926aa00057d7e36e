"""Domain adversary on z_I given the label."""

from torch import Tensor, nn

from models.episode import Step
from models.losses.adversary import CellLineAdversary
from models.losses.registry import LOSSES


@LOSSES.register(
    "conditional_grl",
    id="M33",
    name="conditional gradient-reversal adversary",
    equation="cross entropy of classifier_y(reverse(z_I)) with the cell line, one output layer per label y; "
    "reverse(x) = 2 sg x - x",
    shapes="z_i [E, Q, d], label [E, Q], query_cell [E, Q] -> scalar",
    source="source documents 002 and 004; Li et al. 2018 (conditional invariance)",
)
class ConditionalReversal(CellLineAdversary):
    """-mean log softmax(f_y(reverse(z_I)))[cell line]: f is told the label, so that z_I may keep what tells cell lines
    apart through their share of positives and nothing else.

    At the optimum z_I is independent of the cell line given y, and the value is the entropy of the cell line
    given the label, H(c | y) <= ln C. The unconditional adversary asks for z_I independent of the cell line, which
    no z_I that predicts y can be where shares of positives differ. f: linear - ReLU, then one linear layer per label,
    d -> d -> C, group A. Queries of no training cell line (-1) do not count.

    What it does not certify: that z_I tells nothing else of the cell line. A fresh classifier may do better than
    this one, and a value far above ln C says that z_I deceives the classifier faster than it learns.
    """

    key = "conditional_grl"
    weight = "decouple.conditional_grl"
    permutes = "query_cell"
    order = 210
    reads = frozenset({"z_i", "label", "query_cell"})

    def __init__(self, cell_lines: int, features: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(features, features), nn.ReLU())
        self.negative = nn.Linear(features, cell_lines)
        self.positive = nn.Linear(features, cell_lines)

    def scores(self, z_i: Tensor, step: Step) -> Tensor:
        hidden = self.trunk(z_i)
        y = (step.label > 0.5).to(hidden.dtype).unsqueeze(-1)
        return y * self.positive(hidden) + (1 - y) * self.negative(hidden)
