"""Every Student is taught the mean Teacher of the step in place of its own cell line's: the axis over episodes is averaged
away. The distillation still falls, since a Student that says the same of every support set is what it asks for, and a
user reads the falling loss as a Student that learns what the Teacher knows."""

from models.losses.distillation import Distillation
from models.losses.term import masked_mean

PRESET = "rp13"


def broken(self, step, state):
    taught = step.taught.to(step.r_student.dtype)
    target = masked_mean(step.r_teacher.detach(), taught)
    return masked_mean((step.r_student - target).square(), taught), {}


Distillation.forward = broken
