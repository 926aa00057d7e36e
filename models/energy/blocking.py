"""Blocking (M13): the environment and the potential must both allow the interaction."""

import torch
from torch import Tensor

from models.energy.base import ENERGIES, everywhere
from models.energy.gates import SlopedGate
from models.registry import EVERYWHERE


@ENERGIES.register(
    "blocking",
    id="M13",
    name="blocking energy",
    equation="P = sigmoid(w R_E) sigmoid(U_I / T), l = log P - log(1 - P), R_E signed, w learned from 1",
    shapes="u [E, Q], r [E, 1] | [E, Q], temperature [E, 1] -> [E, Q]; w scalar",
    source="definitions, Energies; source document 004 (closed chromatin blocks)",
)
class BlockingEnergy(SlopedGate):
    """P = sigmoid(w R_E) sigmoid(U_I / T): a closed gate really closes, also for U_I < 0, where `gated` only returns
    to P = 1/2.

    With g = w R_E and v = U_I / T, 1 / P = (1 + e^-g)(1 + e^-v), so that
    l = -log(1 / P - 1) = -logsumexp(-g, -v, -g - v): no difference of nearly equal numbers at any size. l lies
    below both g and v and tends to the smaller one when they are far apart and positive. It is strictly increasing
    in U_I for every finite R_E, as dl/dv = (e^-v + e^-g-v) / (e^-g + e^-v + e^-g-v) > 0; where a gate
    is closed far below U_I that slope falls under the rounding of the logit, and pairs tie at l = w R_E.
    """

    acts = EVERYWHERE
    reads = frozenset({"u", "r", "temperature"})

    def forward(self, u: Tensor, r: Tensor, temperature: Tensor) -> Tensor:
        shut, fails = torch.broadcast_tensors(-self.w * r, -u / temperature)
        return -torch.stack([shut, fails, shut + fails]).logsumexp(0)

    def strictly_increasing(self, r: Tensor) -> Tensor:
        return everywhere(r)
