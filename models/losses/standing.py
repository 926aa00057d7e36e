"""How Student, Opportunist and baseline stand in a cell line: running task losses and their ratio rho_c."""

from typing import NamedTuple

import torch
from torch import Tensor

from models.running import running_means


class Standing(NamedTuple):
    """Running losses of the lines [C] (one entry under `scope: batch`) over episodes of one kind.

    student, opportunist, baseline: EMAs of task losses, and advantage of the Opportunist's advantage (see
    `Competition`), in nats; met: episodes so far.
    """

    student: Tensor
    opportunist: Tensor
    baseline: Tensor
    advantage: Tensor
    met: Tensor

    def rho(self) -> Tensor:
        """rho_c = EMA(L_S) / EMA(L_O) [C]; 1 before the first episode."""
        return torch.where(self.met > 0, self.student / self.opportunist.clamp(min=1e-8), 1.0)

    def update(self, line: Tensor, values: tuple[Tensor, ...], momentum: float) -> "Standing":
        """After episodes of lines line [E] (-1: passed over) with values [E] each, in the order of the fields."""
        seen = (self.met > 0).to(self.student.dtype)
        student, opportunist, baseline, advantage = (
            running_means(old, seen, line, now, momentum)[0]
            for old, now in zip(self[:4], values, strict=True)
        )
        lines = torch.arange(self.met.shape[0], device=line.device)
        met = self.met + (line == lines.unsqueeze(1)).sum(1).to(self.met.dtype)
        return Standing(student, opportunist, baseline, advantage, met)
