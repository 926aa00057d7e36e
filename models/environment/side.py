"""The environment side of a model as one block, and what it is where there is no environment."""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn

from models.environment.base import EnvironmentOutput
from models.environment.branches import Branches
from models.environment.memory import Memory
from models.environment.resistance import Reference, ResistanceOutput
from models.episode import Support
from models.streams import Composed


class EnvironmentSide(Composed):
    """The environment side of a `PrismModel`. This class is that of a model without environment: z_E = 0 and R_E = 0.

    `width` w is the dimension of z_E, `cell_lines` C the number of training cell lines.
    """

    streams: ClassVar[Mapping[str, str]] = {}
    acts: ClassVar[bool] = False
    """Whether there is an environment."""
    by_cell = False
    """Whether z_E is of the cell line itself, whatever pairs are in the support set."""
    one_value_per_cell_line = True
    """Whether R_E is the same for all pairs of a cell line."""

    def __init__(self, cell_lines: int, width: int = 1) -> None:
        super().__init__()
        self.cell_lines, self.width = cell_lines, width

    @property
    def branches(self) -> Branches:
        """Student and Teacher as functions of support sets. Raises LookupError where there are none."""
        raise LookupError("a model without an environment has neither Student nor Teacher")

    def initial_memory(self) -> dict[str, Tensor]:
        """The Teacher's explicit state before the first step; empty without one."""
        return {}

    def check_cells(self, cell: Tensor) -> None:
        """Raise UnseenCellLineError for cell indices that have no z_E; called outside of torch.func."""

    def forward(self, support: Support, memory: Memory | None) -> EnvironmentOutput:
        """z_E, cell lines and the Teacher's answer for E support sets."""
        return EnvironmentOutput(support.u.new_zeros(support.u.shape[0], self.width), support.cell)

    def resist(self, environment: EnvironmentOutput, z_i: Tensor, reference: Reference) -> ResistanceOutput:
        """R_E of query pairs z_i [E, Q, d], from the output of `forward` for their support sets."""
        zero = z_i.new_zeros(z_i.shape[0], 1)
        none = zero[:, 0]
        return ResistanceOutput(zero, none, none, none, None, none)

    @property
    def decoder(self) -> nn.Module | None:
        """z_E [E, w] -> v'_c [E, F]; None where nothing reconstructs v_c."""
        return None

    def posterior(self, environment: EnvironmentOutput, reference: Reference) -> Tensor | None:
        """Mean [R] of the prior's posterior of raw R_S, NaN where it is not taken; None where nothing extrapolates."""
        return None

    def log_prior(self, environment: EnvironmentOutput, r_raw: Tensor, reference: Reference) -> Tensor | None:
        """Log density [] of raw R_E [E] under the Gaussian-process prior, in nats per episode; None without one."""
        return None

    def earlier_resistance(self, named: Support, memory: Memory, reference: Reference) -> Tensor:
        """R_ref, of the shape of `named.cell`: R_T of the frozen earlier Teacher in `memory` (M29), in the units of R_E,
        without gradient. `named` has the true cell lines in `cell`, also where the model's support set hides them.

        Raises LookupError where there is no Teacher.
        """
        raise LookupError("a model without an environment has no Teacher")
