"""Distillation stops the gradient of the Student instead of that of the Teacher.

Since the term may reach the Student only, its value is logged and nothing is moved by it.
"""
PRESET = "rp13"
SET = {}
from models.environment.resistance import beside
from models.losses.distillation import Distillation
from models.losses.term import masked_mean


def forward(self, step, state):
    error = (beside(step.r_student, step.r_teacher).detach() - step.r_teacher).square()
    return masked_mean(error, step.taught.to(error.dtype)), {}


Distillation.forward = forward
