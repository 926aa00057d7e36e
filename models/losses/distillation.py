"""Distillation of the Teacher into the Student (M37)."""

from torch import Tensor
from torch.nn.functional import mse_loss

from models.environment.resistance import beside
from models.episode import Step
from models.losses.registry import LOSSES
from models.losses.term import STUDENT, LossTerm, State, masked_mean
from models.stopped import stopped


@LOSSES.register(
    "distillation",
    id="M37",
    name="distillation",
    equation="mean_c (R_S(c) - sg R_T(c))^2; where the name is hidden, R_T is a frozen earlier Teacher's R_ref; of mixed "
    "episodes mean_{e,q} (R_S(e) - sg R_T(c_q))^2",
    shapes="r_student [E], r_teacher [E] | [E, Q], taught as r_teacher -> scalar >= 0",
    source="source document 001, the only distillation target",
)
class Distillation(LossTerm):
    """mean (R_S(c) - sg R_T(c))^2 over the episodes that have a target (`taught`), in the units of R_E; where the query
    pairs of an episode are of several cell lines, over the query pairs, each with the R_T of its own line.

    It closes every distance, the one of two levels too: R_S comes with its whole gradient, and the gauge of a
    standardised R_E is a matter of the energies (`Resistance.heard`). It reaches the Student only: neither the
    Teacher, nor the prototype graph, nor the sequence side. Episodes of no training cell line, and hidden ones before
    a Teacher has trained for an epoch, have no target; without any the term is 0.
    """

    key = "distillation"
    weight = "loss.distillation.weight"
    order = 50
    in_phase1 = False
    ramps = True
    reads = frozenset({"r_student", "r_teacher", "taught"})
    permutes = "r_teacher"
    objectives = {("value", "E"): ("squared distance of R_S from R_T", "down")}
    needs = frozenset({"teacher"})
    reach = STUDENT

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        error = (beside(step.r_student, step.r_teacher) - step.r_teacher.detach()).square()
        return masked_mean(error, step.taught.to(error.dtype)), {}

    def parts(self, step: Step, state: State) -> dict[str, Tensor]:
        target, taught = stopped(step.r_teacher), step.taught > 0
        student = step.r_student.reshape(-1, *[1] * (target.ndim - 1)).expand_as(target)
        return {
            "value": mse_loss(student[taught], target[taught], reduction="sum") / max(1, int(taught.sum()))
        }
