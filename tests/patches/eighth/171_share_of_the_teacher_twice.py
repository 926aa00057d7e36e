"""The Teacher's share alpha is applied twice, where it is made and once more where it is handed on: with alpha = 0.5 the
Teacher has a quarter of R_E. A user who compares values of alpha compares their squares."""

from models.environment import cell_environment

PRESET = "complete"

teacher_share = cell_environment.teacher_share


def broken(cell, alpha):
    return alpha * teacher_share(cell, alpha)


cell_environment.teacher_share = broken
