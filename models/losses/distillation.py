"""Distillation of the Teacher into the Student (M37)."""

from torch import Tensor

from models.episode import Step
from models.losses.term import LOSSES, STUDENT, LossTerm, State, masked_mean


@LOSSES.register(
    "distillation",
    id="M37",
    name="distillation",
    equation="mean_c (R_S(c) - sg R_T(c))^2; where the name is hidden, R_T is a frozen earlier Teacher's R_ref",
    shapes="r_student [E], r_teacher [E], taught [E] -> scalar >= 0",
    source="seed 001, the only distillation target",
)
class Distillation(LossTerm):
    """mean (R_S(c) - sg R_T(c))^2 over the episodes that have a target (`taught`), in the units of R_E.

    It reaches the Student only: neither the Teacher, nor the prototype graph, nor the sequence side. Episodes
    of no training cell line, and hidden ones before a Teacher has trained for an epoch, have no target; without
    any the term is 0.
    """

    key = "distillation"
    reach = STUDENT

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        if step.r_student is None or step.r_teacher is None or step.taught is None:
            raise ValueError("distillation needs a Teacher: the step carries no r_teacher")
        error = (step.r_student - step.r_teacher.detach()).square()
        return masked_mean(error, step.taught.to(error.dtype)), {}
