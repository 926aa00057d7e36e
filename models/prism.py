"""The composed model, and `PrismModel.score`: the one energy function, which training, validation, prediction and
every check call."""

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from models.energy.base import Energy
from models.energy.temperature import Temperature
from models.environment.base import EnvironmentOutput
from models.environment.memory import Memory
from models.environment.resistance import Reference
from models.environment.side import EnvironmentSide
from models.episode import Support
from models.part import parameter_groups
from models.precision import at_least_float32
from models.sequence.frozen import FrozenPotential
from models.sequence.potential import SequencePotential
from models.streams import Composed


class Scores(NamedTuple):
    """Scores of a query set.

    logit [E, Q]; r [E, 1] or [E, Q] (resistance); temperature [E, 1] or [E, Q]; z_e [R, w]; r_raw (before
    softplus or standardisation: what the reference tracks); r_cell, r_student [R], r_teacher: R_E of the cell
    line, of the Student and of the Teacher (None without one), in the units of r; r_heard [R]: r_student as an energy
    hears it. R = E, and r_raw, r_cell and r_teacher are [E]; of mixed episodes see `ResistanceOutput`.
    """

    logit: Tensor
    r: Tensor
    temperature: Tensor
    z_e: Tensor
    r_raw: Tensor
    r_cell: Tensor
    r_student: Tensor
    r_teacher: Tensor | None
    r_heard: Tensor


class PrismModel(Composed):
    """l(x, c) = energy(U_I, R_E(x, c), T(c)), with (z_I, U_I) = sequence(x), (z_E, R_E) = environment(S_c, z_I) and
    T(c) = temperature(z_E).

    PRISM's energy-dissipation family (M01 to M29) is what may stand in the four places; `models.building` fills them
    from settings.
    """

    streams: ClassVar = {
        "sequence": "sequence",
        "energy": "energy",
        "environment": "",
        "temperature": "temperature",
    }

    def __init__(
        self,
        sequence: SequencePotential | FrozenPotential,
        energy: Energy,
        temperature: Temperature,
        environment: EnvironmentSide,
    ) -> None:
        super().__init__()
        self.sequence = sequence
        self.energy = energy
        self.environment = environment
        self.temperature = temperature

    @property
    def features(self) -> int:
        """d, the dimension of z_I."""
        return self.sequence.features

    @property
    def cell_lines(self) -> int:
        """C, the number of training cell lines."""
        return self.environment.cell_lines

    @property
    def width(self) -> int:
        """w, the dimension of z_E."""
        return self.environment.width

    @property
    def dual_stream(self) -> bool:
        """Whether z_I and z_E live in orthogonal subspaces of one space of d dimensions (M34)."""
        return self.sequence.dual is not None

    def initial_reference(self) -> Reference:
        """The empty explicit state of training cell lines' R_E and z_E."""
        return Reference.initial(self.cell_lines, self.width)

    def environment_of(self, support: Support, memory: Memory | None = None) -> EnvironmentOutput:
        """Output of the environment for E support sets; z_E is zeros [E, w] for a model without an environment.

        `memory` is the Teacher's explicit state; a model whose Teacher remembers nothing needs none. Computed in float32
        at least, under autocast too, as the score is.
        """
        with torch.autocast(support.u.device.type, enabled=False):
            output: EnvironmentOutput = self.environment(support.at_least_float32(), memory)
            return output

    @property
    def placed_width(self) -> int:
        """Dimension of `placed` z_E."""
        return self.features if self.dual_stream else self.width

    def placed(self, z_e: Tensor) -> Tensor:
        """z_E as the loss terms see it: sg(Q_E) z_E [E, d] in the space of z_I under a dual stream, else as it is [E, w].

        Under a dual stream the environment's output are coordinates in the basis Q_E; R_E and T read those.
        """
        return z_e if self.sequence.dual is None else self.sequence.dual.place(z_e)

    def score(
        self,
        u: Tensor,
        z_i: Tensor,
        environment: EnvironmentOutput,
        reference: Reference,
        *,
        warm: bool,
        calibration: Tensor | None = None,
    ) -> Scores:
        """l(x, c) of query pairs: U_I u [E, Q], z_i [E, Q, d], the environment of E cell lines -> Scores.

        `warm` is phase 1 of the curriculum: l = U_I, T = 1, R_E = 0 for every energy. `calibration` (a positive
        scalar tensor) multiplies T; it is what temperature mode `calibrated` fits on validation after training.
        Computed in float32 at least, under autocast too: a logit of bfloat16 ties pairs that differ.
        """
        z_e, owner = environment.z_e, environment.owner
        with torch.autocast(u.device.type, enabled=False):
            u, z_i = at_least_float32(u), at_least_float32(z_i)
            if warm:
                zero = u.new_zeros(u.shape[0], 1)
                none = zero[:, 0]
                return Scores(u, zero, zero + 1.0, z_e, none, none, none, None, none)
            resisted = self.environment.resist(environment, z_i, reference)
            temperature = self.temperature(z_e if self.environment.acts else None, z_e.shape[0])
            if owner is not None:
                temperature = temperature[owner].squeeze(-1)
            if calibration is not None:
                temperature = temperature * calibration
            return Scores(
                logit=self.energy(u, resisted.r, temperature),
                r=resisted.r,
                temperature=temperature,
                z_e=z_e,
                r_raw=resisted.raw,
                r_cell=resisted.cell,
                r_student=resisted.student,
                r_teacher=resisted.teacher,
                r_heard=resisted.heard,
            )

    def groups(self) -> dict[str, dict[str, nn.Parameter]]:
        """Every parameter in exactly one of the groups S, E, T, G, by qualified name."""
        return parameter_groups(self)

    def rank_invariant(self, r: Tensor) -> bool:
        """Whether, at these resistances, the order within a cell line is exactly that of U_I (definitions, Energies)."""
        if not self.environment.acts:
            return True
        increasing = self.energy.strictly_increasing(r)
        return self.environment.one_value_per_cell_line and bool(torch.all(increasing))
