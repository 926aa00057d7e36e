"""The composed model: z_I, U_I = sequence(x);  z_E = environment(S_c);  l(x, c) = energy(U_I, R_E(x, c), T(c)).

`PrismModel.score` is the one energy function: training, validation, prediction and every check call it.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from models.energy import ENERGIES, TEMPERATURES, BindingEnergy
from models.environment import ENVIRONMENTS, GRAPHS, TEACHERS
from models.environment.abundance import AbundanceResistance
from models.environment.base import EnvironmentOutput
from models.environment.branches import Branches
from models.environment.fusion import teacher_share
from models.environment.memory import EARLIER, NOW, Memory, initial_memory, part
from models.environment.placement import Placement
from models.environment.prior import GaussianProcessPrior
from models.environment.resistance import Reference, Resistance
from models.episode import Support
from models.precision import at_least_float32
from models.sequence.potential import SequenceOutput, build_sequence

GROUPS = ("S", "E", "T", "G", "A")
"""Parameter groups: sequence side; environment side, its Student and its Teacher (T: Teacher and prototype graph);
global energy scalars; adversaries and critics. Where two sides are told apart, E stands for E and T together."""


class Scores(NamedTuple):
    """What the energy made of a query set.

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


class PrismModel(nn.Module):
    """PRISM's energy-dissipation family (M01 to M29), built from plain settings.

    Parameters
    ----------
    settings
        Plain data with the blocks `model`, `energy`, `temperature`, `environment` and `support`
        (a resolved configuration; sizes are filled in).
    cell_lines
        Number C of training cell lines.
    v
        Standardised features [C, F] of the training cell lines, where the settings read them.
    relations
        Weights [C, C] of relations between the training cell lines, where there are any.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        cell_lines: int,
        *,
        v: Tensor | None = None,
        relations: Tensor | None = None,
    ) -> None:
        super().__init__()
        model, environment = settings["model"], dict(settings["environment"])
        energy, temperature = dict(settings["energy"]), dict(settings["temperature"])
        self.features: int = model["bottleneck"] or model["width"]
        self.cell_lines = cell_lines
        decouple = settings["decouple"]
        self.dual_stream: bool = decouple["dual_stream"]
        """z_I and z_E live in orthogonal subspaces of one space of d dimensions (M34)."""
        self.sequence = build_sequence(
            model,
            stochastic=decouple["vib"] > 0,
            environment_stream=environment["width"] if self.dual_stream else None,
        )
        self.energy = ENERGIES.build(energy.pop("form"), **energy)

        source = environment.pop("source")
        self.width: int = environment.get("width", 1)
        self.has_environment: bool = source != "none"
        teacher, fusion = environment.pop("teacher", None), environment.pop("fusion", None)
        graph, prior = environment.pop("graph", None), environment.pop("prior", None)
        self.alpha: float = 0.0
        self.extrapolates: bool = prior is not None and prior["extrapolate"] == "posterior"
        """An unseen cell line's raw R_E is the prior's posterior mean (M28)."""
        self.pseudo_unseen: bool = settings["episode"]["pseudo_unseen"] > 0
        if self.has_environment:
            scope, rank = environment.pop("scope"), environment.pop("rank")
            if source == "id":
                environment["cell_lines"] = cell_lines
            elif source == "features":
                decoder = settings["loss"]["reconstruction"]["weight"] > 0
                environment |= {"inputs": 0 if v is None else v.shape[1], "decoder": decoder}
            else:
                environment |= {"features": self.features, "labels": settings["support"]["labels"]}
            self.environment = ENVIRONMENTS.build(source, **environment)
            self.resistance = self._resistance(scope, rank)
        if teacher is not None and teacher["kind"] != "none":
            kind, self.alpha = teacher["kind"], fusion["alpha"]
            own = {
                "gradient": {"cell_lines": cell_lines, "width": self.width},
                "ema": {"momentum": teacher["momentum"]},
            }
            self.teacher = TEACHERS.build(kind, **own[kind])
        if graph is not None and graph["kind"] != "none":
            self._build_graph(graph, relations)
        if prior is not None and (self.extrapolates or settings["loss"]["gp_prior"]["weight"] > 0):
            numbers = {name: prior[name] for name in ("lengthscale", "variance", "noise")}
            self.prior = GaussianProcessPrior(v if prior["over"] == "features" else None, **numbers)

        mode = temperature.pop("mode")
        temperature.pop("penalty", None)  # the penalty is a loss term, built with the other terms
        if mode == "per_cell":
            temperature["width"] = self.width
        self.temperature = TEMPERATURES.build(mode, **temperature)

    def _build_graph(self, graph: Mapping[str, Any], relations: Tensor | None) -> None:
        """The prototype graph (M24), and the Student's map onto it where asked for (M25)."""
        own = {"restart": graph["restart"]} if graph["kind"] == "random_walk" else {}
        self.graph = GRAPHS.build(
            graph["kind"],
            cell_lines=self.cell_lines,
            width=self.width,
            prototypes=graph["prototypes"],
            neighbours=graph["neighbours"],
            relations=relations,
            **own,
        )
        if graph["map"] == "attention":
            self.placement = Placement(self.width)

    def _resistance(self, scope: Literal["cell", "sample"], rank: int) -> Resistance:
        """The map from z_E to R_E that the energy asks for."""
        if isinstance(self.energy, BindingEnergy):
            return AbundanceResistance(self.width, self.features, scope, self.energy.grid)
        return Resistance(
            width=self.width,
            features=self.features,
            scope=scope,
            rank=rank,
            nonnegative=self.energy.nonnegative_resistance,
            standardise=self.energy.standardise_resistance,
        )

    def initial_reference(self) -> Reference:
        """The empty explicit state of training cell lines' R_E and z_E."""
        return Reference.initial(self.cell_lines, self.width)

    def encode(self, enhancer: Tensor, promoter: Tensor, noise: Any = None) -> SequenceOutput:
        """Sequence side: bases uint8 [B, L_e], [B, L_p] -> z_I [B, d], U_I [B]; noise None means evaluation."""
        output: SequenceOutput = self.sequence(enhancer, promoter, noise)
        return output

    @property
    def branches(self) -> Branches:
        """Student and Teacher as functions of support sets."""
        optional = [getattr(self, name, None) for name in ("graph", "placement", "teacher")]
        return Branches(self.environment, self.resistance.cell_part, *optional)

    def initial_memory(self) -> dict[str, Tensor]:
        """The Teacher's explicit state before the first step, from the initialised parameters; empty without one."""
        if not self.has_environment:
            return {}
        return initial_memory(self.branches, pseudo_unseen=self.pseudo_unseen)

    def environment_of(self, support: Support, memory: Memory | None = None) -> EnvironmentOutput:
        """What the environment says of E support sets; z_E is zeros [E, w] for a model without an environment.

        `memory` is the Teacher's explicit state; a model whose Teacher remembers nothing needs none. Computed in float32
        at least, under autocast too, as the score is.
        """
        if not self.has_environment:
            return EnvironmentOutput(support.u.new_zeros(support.u.shape[0], self.width), support.cell)
        with torch.autocast(support.u.device.type, enabled=False):
            return self._environment_of(support.at_least_float32(), memory)

    def _environment_of(self, support: Support, memory: Memory | None) -> EnvironmentOutput:
        branches = self.branches
        z_e = branches.student(support)
        place = None
        if hasattr(self, "prior"):
            place = z_e if self.prior.places is None else support.v
        output = EnvironmentOutput(z_e, support.cell, place=place, hidden=support.hidden, owner=support.owner)
        if branches.teacher is None:
            return output
        values = None if branches.teacher.by_name else part(memory or {}, NOW)
        raw = branches.teacher_raw(support, values)
        return output._replace(teacher=(raw, teacher_share(support.cell, self.alpha)))

    def log_prior(self, environment: EnvironmentOutput, r_raw: Tensor, reference: Reference) -> Tensor | None:
        """Log density [] of raw R_E [E] under the Gaussian-process prior, in nats per episode; None without one."""
        if environment.place is None:
            return None
        density: Tensor = self.prior.log_density(r_raw, environment.place, reference)
        return density

    def _extrapolated(self, environment: EnvironmentOutput, reference: Reference) -> Tensor | None:
        """raw R_S [E] with the posterior mean in place of what z_E says of an unseen cell line; None: z_E says it."""
        if not self.extrapolates or environment.place is None:
            return None
        posterior = self.prior.posterior(environment.place, reference, environment.hidden)
        own = self.resistance.raw_cell(environment.z_e)
        return torch.where(environment.cell < 0, posterior.mean, own)

    def earlier_resistance(self, named: Support, memory: Memory, reference: Reference) -> Tensor:
        """R_ref, of the shape of `named.cell`: R_T of the frozen earlier Teacher in `memory` (M29), in the units of R_E,
        without gradient.

        `named` has the true cell lines in `cell`, also where the model's own support set hides them.
        """
        with torch.no_grad():
            raw = self.branches.teacher_raw(named, part(memory, EARLIER))
            return self.resistance.of_cell(raw, reference)

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
        """l(x, c) of query pairs: U_I u [E, Q], z_i [E, Q, d], what the environment said of E cell lines -> Scores.

        `warm` is phase 1 of the curriculum: l = U_I, T = 1, R_E = 0 for every energy. `calibration` (a positive
        scalar tensor) multiplies T; it is what temperature mode `calibrated` fits on validation after training.
        Computed in float32 at least, under autocast too: a logit of bfloat16 ties pairs that differ.
        """
        with torch.autocast(u.device.type, enabled=False):
            given = (at_least_float32(u), at_least_float32(z_i), environment, reference)
            return self._score(*given, warm=warm, calibration=calibration)

    def _score(
        self,
        u: Tensor,
        z_i: Tensor,
        environment: EnvironmentOutput,
        reference: Reference,
        *,
        warm: bool,
        calibration: Tensor | None,
    ) -> Scores:
        episodes, z_e, owner = u.shape[0], environment.z_e, environment.owner
        zero = u.new_zeros(episodes, 1)
        none = zero[:, 0]
        if warm:
            return Scores(u, zero, zero + 1.0, z_e, none, none, none, None, none)
        r, r_raw, r_cell, r_student, r_teacher, r_heard = zero, none, none, none, None, none
        if self.has_environment:
            r, r_raw, r_cell, r_student, r_teacher, r_heard = self.resistance(
                z_e,
                z_i,
                reference,
                raw=self._extrapolated(environment, reference),
                teacher=environment.teacher,
                owner=owner,
            )
        temperature = self.temperature(z_e if self.has_environment else None, z_e.shape[0])
        if owner is not None:
            temperature = temperature[owner].squeeze(-1)
        if calibration is not None:
            temperature = temperature * calibration
        logit = self.energy(u, r, temperature)
        return Scores(logit, r, temperature, z_e, r_raw, r_cell, r_student, r_teacher, r_heard)

    def groups(self) -> dict[str, dict[str, nn.Parameter]]:
        """Every parameter in exactly one of the groups S, E, T, G, by qualified name."""
        owner = {
            "sequence": "S",
            "environment": "E",
            "placement": "E",
            "resistance": "E",
            "graph": "T",
            "teacher": "T",
            "energy": "G",
            "temperature": "G",
        }
        groups: dict[str, dict[str, nn.Parameter]] = {"S": {}, "E": {}, "T": {}, "G": {}}
        for name, parameter in self.named_parameters():
            groups[owner[name.split(".", 1)[0]]][name] = parameter
        return groups

    def rank_invariant(self, r: Tensor) -> bool:
        """Whether, at these resistances, the order within a cell line is exactly that of U_I (definitions, Energies)."""
        if not self.has_environment:
            return True
        return self.resistance.scope == "cell" and bool(torch.all(self.energy.strictly_increasing(r)))
