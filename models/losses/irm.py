"""Invariant risk: one scale of the logits has to be right in every cell line at once."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from models.episode import Step
from models.losses.registry import LOSSES
from models.losses.term import SEQUENCE, LossTerm, State


@LOSSES.register(
    "irm",
    id="M33",
    name="invariant risk minimisation",
    equation="mean_c (d/dw R_c(w l) at w = 1)^2, R_c = mean over queries of c of softplus(-m), m = +-l: "
    "mean_c (mean_{q of c} -m_q sigmoid(-m_q))^2",
    shapes="logit [E, Q], label [E, Q], query_cell [E, Q] -> scalar >= 0",
    source="source document 004; Arjovsky et al. 2019, IRMv1",
)
class Irm(LossTerm):
    """mean over the cell lines of the step of (mean_q -m_q sigmoid(-m_q))^2, m the margin of a query's logit.

    The derivative by the common scale w of the logits is taken in closed form, so that the penalty needs first
    derivatives of the network alone. R_c is the logistic risk whatever `loss.task` is: the adaptive margins of IMMAX
    belong to the whole step. Moves the sequence side only, through U_I in the logit. Queries of no training cell
    line (-1) do not count.

    What it does not certify: a penalty of 0 says that no cell line of the step asks for another scale, not that
    features are invariant; logits that are all 0, or all confident and right, have penalty 0. The square
    of a mean over Q queries is larger than that of its expectation by variance / Q.
    """

    key = "irm"
    weight = "decouple.irm"
    order = 220
    in_phase1 = False
    ramps = True
    reads = frozenset({"logit", "label", "query_cell"})
    permutes = "query_cell"
    objectives = {("value", "S"): ("penalty on the risks' slopes", "down")}
    needs = frozenset({"cell_lines"})
    takes = ("cell_lines",)
    reach = SEQUENCE

    def __init__(self, cell_lines: int) -> None:
        super().__init__()
        self.cell_lines = cell_lines

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        margin = torch.where(step.label > 0.5, step.logit, -step.logit)
        slope = (-margin * torch.sigmoid(-margin)).flatten()
        lines = torch.arange(self.cell_lines, device=slope.device)
        member = (step.query_cell.flatten() == lines.unsqueeze(1)).to(slope.dtype)
        count = member.sum(1)
        known = torch.where(step.query_cell.flatten() >= 0, slope, 0.0)
        per_line = (member @ known) / count.clamp(min=1)
        return per_line.square().sum() / (count > 0).sum().clamp(min=1), {}

    def parts(self, step: Step, state: State) -> dict[str, Tensor]:
        """The slope of each risk by autograd on the scale itself."""
        squares = []
        with torch.enable_grad():
            for line in step.query_cell[step.query_cell >= 0].unique().tolist():
                here = step.query_cell == line
                logit, label = step.logit[here], step.label[here].to(step.logit.dtype)
                scale = torch.ones_like(logit[0]).requires_grad_()
                risk = binary_cross_entropy_with_logits(scale * logit, label)
                (slope,) = torch.autograd.grad(risk, scale, create_graph=True)
                squares.append(slope**2)
        return {"value": torch.stack(squares).mean() if squares else step.logit.new_zeros(())}
