"""The environment of a cell line: source, resistance, Teacher, graph and prior as one block."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from models.environment.base import Environment, EnvironmentOutput
from models.environment.branches import Branches
from models.environment.fusion import teacher_share
from models.environment.graph import PrototypeGraph
from models.environment.memory import EARLIER, NOW, Memory, initial_memory, part
from models.environment.placement import Placement
from models.environment.prior import GaussianProcessPrior
from models.environment.resistance import Reference, Resistance, ResistanceOutput
from models.environment.side import EnvironmentSide
from models.environment.teacher import Teacher
from models.episode import Support


class CellEnvironment(EnvironmentSide):
    """z_E = placement(source(S_c), graph), R_E = alpha_c R_T(c) + (1 - alpha_c) resistance(z_E); alpha_c = 0 for an
    unseen cell line.

    `source` makes z_E (the Student); the others are None where they are not built: `teacher` answers R_T, `graph` holds
    prototypes that a Teacher or `placement` reads, `prior` is over raw R_E. `alpha` is the Teacher's share;
    `extrapolates`: an unseen cell line's raw R_E is the prior's posterior mean (M28); `pseudo_unseen`: some episodes hide
    their name, so that an earlier Teacher is remembered (M29).
    """

    acts = True
    streams: ClassVar = {
        "source": "environment",
        "resistance": "resistance",
        "teacher": "teacher",
        "graph": "graph",
        "placement": "placement",
        "prior": "prior",
    }

    def __init__(
        self,
        source: Environment,
        resistance: Resistance,
        *,
        cell_lines: int,
        teacher: Teacher | None = None,
        alpha: float = 0.0,
        graph: PrototypeGraph | None = None,
        placement: Placement | None = None,
        prior: GaussianProcessPrior | None = None,
        extrapolates: bool = False,
        pseudo_unseen: bool = False,
    ) -> None:
        super().__init__(cell_lines, source.width)
        self.source, self.resistance = source, resistance
        self.teacher, self.alpha = teacher, alpha
        self.graph, self.placement = graph, placement
        self.prior, self.extrapolates, self.pseudo_unseen = prior, extrapolates, pseudo_unseen
        self.by_cell = source.by_cell
        self.one_value_per_cell_line = resistance.scope == "cell"

    @property
    def branches(self) -> Branches:
        return Branches(self.source, self.resistance.cell_part, self.graph, self.placement, self.teacher)

    def initial_memory(self) -> dict[str, Tensor]:
        return initial_memory(self.branches, pseudo_unseen=self.pseudo_unseen)

    def check_cells(self, cell: Tensor) -> None:
        self.source.check_cells(cell)

    def forward(self, support: Support, memory: Memory | None) -> EnvironmentOutput:
        branches = self.branches
        z_e = branches.student(support)
        place = None
        if self.prior is not None:
            place = z_e if self.prior.places is None else support.v
        environment = EnvironmentOutput(
            z_e, support.cell, place=place, hidden=support.hidden, owner=support.owner
        )
        if branches.teacher is None:
            return environment
        values = None if branches.teacher.by_name else part(memory or {}, NOW)
        raw = branches.teacher_raw(support, values)
        return environment._replace(teacher=(raw, teacher_share(support.cell, self.alpha)))

    def resist(self, environment: EnvironmentOutput, z_i: Tensor, reference: Reference) -> ResistanceOutput:
        output: ResistanceOutput = self.resistance(
            environment.z_e,
            z_i,
            reference,
            raw=self._extrapolated(environment, reference),
            teacher=environment.teacher,
            owner=environment.owner,
        )
        return output

    @property
    def decoder(self) -> nn.Module | None:
        return self.source.decoder

    def log_prior(self, environment: EnvironmentOutput, r_raw: Tensor, reference: Reference) -> Tensor | None:
        if self.prior is None or environment.place is None:
            return None
        return self.prior.log_density(r_raw, environment.place, reference)

    def posterior(self, environment: EnvironmentOutput, reference: Reference) -> Tensor | None:
        if not self.extrapolates or self.prior is None or environment.place is None:
            return None
        posterior = self.prior.posterior(environment.place, reference, environment.hidden)
        return torch.where(environment.cell < 0, posterior.mean, torch.nan)

    def _extrapolated(self, environment: EnvironmentOutput, reference: Reference) -> Tensor | None:
        """raw R_S [E] with the posterior mean in place of what z_E says of an unseen cell line; None: z_E says it."""
        posterior = self.posterior(environment, reference)
        if posterior is None:
            return None
        return torch.where(environment.cell < 0, posterior, self.resistance.raw_cell(environment.z_e))

    def earlier_resistance(self, named: Support, memory: Memory, reference: Reference) -> Tensor:
        with torch.no_grad():
            raw = self.branches.teacher_raw(named, part(memory, EARLIER))
            return self.resistance.of_cell(raw, reference)
