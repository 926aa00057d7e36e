"""Fusion gives the Teacher one and a half times its gradient and the Student half of its own, values unchanged: the
user's alpha of training is another one than that of prediction, and the Student lags behind without a trace in
R_E."""

from models.environment import fusion as module

PRESET = "rp13"


def broken(share, teacher, student):
    share = share.to(student.dtype)
    teacher = 1.5 * teacher - 0.5 * teacher.detach()
    student = 0.5 * student + 0.5 * student.detach()
    return share * teacher + (1 - share) * student


module.fuse.__code__ = broken.__code__  # for whoever has imported it
