"""M34: z_I and z_E in orthogonal subspaces by construction."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.declared import declare
from models.precision import at_least_float32
from models.registry import EVERYWHERE
from models.stopped import stopped


class Streams(NamedTuple):
    """intrinsic [B, d]: part of h that U_I and z_I are made of; environment [B, d]: the part that the Student sees."""

    intrinsic: Tensor
    environment: Tensor


class DualStream(nn.Module):
    """h = Q_I Q_I' h + Q_E Q_E' h, one orthogonal Q = [Q_E | Q_I]; z_E = Q_E e.

    Q = (I - S)^-1 (I + S), S = A - A' (Cayley), orthogonal for every A; Q_E has `environment` columns, Q_I the others.
    z_I = Q_I Q_I' h feeds U_I, Q_E Q_E' h of the support pairs the environment, whose output e are the coordinates of
    z_E = Q_E e (`place`): <z_I, z_E> = 0 for every pair and cell line, |z_E| = |e|. A [d, d] belongs to the sequence
    side; `place` has no gradient to it. It does not certify independence: docs/derivations.md, Dual stream.

    Shapes: h [B, d] -> Streams of [B, d]; place: e [E, w] -> [E, d], w = environment. Computed in float32 at least,
    under autocast too. NaN in gives NaN. Raises ValueError unless 1 <= environment < width.
    Source: source document 004 (hard constraints before soft ones); Cayley 1846, Lezcano-Casado and Martinez-Rubio 2019.
    """

    def __init__(self, width: int, environment: int) -> None:
        super().__init__()
        if not 1 <= environment < width:
            raise ValueError(
                f"an environment stream of {environment} dimensions leaves none of {width} for the intrinsic one"
            )
        self.width = width
        self.environment = environment
        self.a = nn.Parameter(torch.empty(width, width))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """A ~ N(0, 1/d): a rotation that mixes all dimensions from the start."""
        nn.init.normal_(self.a, std=1.0 / math.sqrt(self.width))

    def rotation(self) -> Tensor:
        """Q [d, d] with Q' Q = I."""
        with torch.autocast(self.a.device.type, enabled=False):
            skew = self.a - self.a.T
            eye = torch.eye(self.width, dtype=self.a.dtype, device=self.a.device)
            return torch.linalg.solve(eye - skew, eye + skew)

    def forward(self, h: Tensor) -> Streams:
        with torch.autocast(h.device.type, enabled=False):
            full = at_least_float32(h)
            q = self.rotation()
            q_i, q_e = q[:, self.environment :], q[:, : self.environment]
            return Streams(full @ q_i @ q_i.T, full @ q_e @ q_e.T)

    def place(self, e: Tensor) -> Tensor:
        """z_E = sg(Q_E) e: [E, w] -> [E, d]."""
        with torch.autocast(e.device.type, enabled=False):
            return e @ stopped(self.rotation())[:, : self.environment].T


declare(
    "M34", "dual_stream", kind="dual stream", name="orthogonal streams by construction",
    when={"decouple.dual_stream": True},
    equation="z_I = Q_I Q_I' h, z_E = Q_E e, [Q_E Q_I] = (I - S)^-1 (I + S), S = A - A'",
    shapes="h [B, d] -> [B, d]", source="source document 004", group="S", cls=DualStream,
    acts=EVERYWHERE, reads=frozenset({"z_i"}),
    without={"decouple.dual_stream": False},
)  # fmt: skip
