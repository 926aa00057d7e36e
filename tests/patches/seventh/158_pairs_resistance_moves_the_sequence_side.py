"""The pair's part of R_E is computed of z_I with its gradient: the task moves the sequence side through the environment,
too, and not through U_I alone. z_I learns what the environment needs of it, so that U_I and R_E are no longer two
sources whose effects can be told apart, which is what the isolated routing is for."""

import torch

from models.environment.fusion import fuse
from models.environment.resistance import Reference, Resistance, ResistanceOutput, beside

PRESET = "complete"


def broken(self, z_e, z_i, reference, *, raw=None, teacher=None, owner=None):
    fixed = Reference(*(part.detach() for part in reference))
    raw = self.raw_cell(z_e) if raw is None else raw
    cell = student = self.of_cell(raw, fixed)
    of_teacher: torch.Tensor | None = None
    if teacher is not None:
        raw_teacher, share = teacher
        of_teacher = self.of_cell(raw_teacher, fixed)
        of_student, raw_student = beside(student, of_teacher), beside(raw, raw_teacher)
        cell, raw = fuse(share, of_teacher, of_student), fuse(share, raw_teacher, raw_student)
    if owner is not None:
        cell, z_e = cell[owner], z_e[owner]
    r = self.heard(cell)
    r = r.unsqueeze(-1) if r.ndim == 1 else r
    if self.scope == "sample":
        modulation = self.a((z_e - fixed.mean_z_e()) / fixed.spread_z_e())
        modulation = modulation.unsqueeze(-2) if owner is None else modulation
        r = r + (self.b(z_i) * modulation).sum(-1)
    return ResistanceOutput(r, raw, cell, student, of_teacher, self.heard(student))


Resistance.forward = broken
