"""EMA prototypes of z_E per cell line: pull (documented), contrastive, hinged."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, cross_entropy, normalize

from models.episode import Step
from models.losses.registry import LOSSES
from models.losses.term import ENVIRONMENT, LossTerm, State, ages_of, masked_mean
from models.running import running_means
from models.sizes import Sizes


class Prototypes(LossTerm):
    """mean over episodes of force(z_E, prototypes); then p_c <- momentum p_c + (1 - momentum) sg mean z_E(c).

    State: prototype [C, w], seen [C], moved [C] (the step that last moved it); counted and forced [], episodes that
    counted so far and those of them with a force. Prototypes of before the step are used and carry no gradient; episodes
    of a cell line not met before, or of no training cell line (-1), do not count.
    """

    key = "prototypes"
    weight = "loss.prototypes.weight"
    order = 40
    in_phase1 = False
    ramps = True
    reads = frozenset({"z_e", "cell", "index"})
    permutes = "cell"
    objectives = {("value", "ET"): ("distance from the prototypes", "down")}
    needs = frozenset({"z_e", "single_line_support"})
    reach = ENVIRONMENT

    @classmethod
    def arguments(cls, settings: Mapping[str, Any], sizes: Sizes) -> dict[str, Any]:
        """Of the block's keys the momentum; tau and radius are each of one kind alone."""
        block = settings["loss"]["prototypes"]
        return {"cell_lines": sizes.cell_lines, "width": sizes.width, "momentum": block["momentum"]}

    def __init__(self, cell_lines: int, width: int, momentum: float = 0.9) -> None:
        super().__init__()
        self.cell_lines = cell_lines
        self.width = width
        self.momentum = momentum

    def initial_state(self) -> State:
        return {
            "prototype": torch.zeros(self.cell_lines, self.width),
            "seen": torch.zeros(self.cell_lines),
            "moved": torch.full((self.cell_lines,), -1),
            "counted": torch.zeros((), dtype=torch.float64),
            "forced": torch.zeros((), dtype=torch.float64),
        }

    def report(self, state: State, index: int) -> dict[str, Tensor]:
        """prototype_age_mean and prototype_age_max: steps since the prototype of each cell line met so far was last moved.
        acting_share: of the episodes that counted so far, those with a force; without any there is none."""
        share = {"acting_share": state["forced"] / state["counted"]} if bool(state["counted"]) else {}
        return {**ages_of(state["moved"], state["seen"], index, "prototype"), **share}

    @abstractmethod
    def force(self, z: Tensor, cell: Tensor, prototype: Tensor, seen: Tensor) -> Tensor:
        """Loss per episode [E] for z [E, w], cell [E] >= 0, prototype [C, w], seen [C]."""

    @abstractmethod
    def plain(self, z: Tensor, line: int, prototype: Tensor, seen: Tensor) -> Tensor:
        """`force` of one episode z [w] of cell line `line`, computed in another way."""

    def parts(self, step: Step, state: State) -> dict[str, Tensor]:
        prototype, seen = state["prototype"].detach().to(step.z_e.dtype), state["seen"].detach() > 0
        met = [(z, c) for z, c in zip(step.z_e, step.cell.tolist(), strict=True) if c >= 0 and bool(seen[c])]
        losses = [self.plain(z, line, prototype, seen) for z, line in met]
        return {"value": torch.stack(losses).mean() if losses else step.z_e.new_zeros(())}

    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        prototype, seen = state["prototype"].detach().to(step.z_e.dtype), state["seen"].detach()
        cell = step.cell.clamp(min=0)
        counted = seen[cell] * (step.cell >= 0)
        force = self.force(step.z_e, cell, prototype, seen)
        loss = masked_mean(force, counted.to(step.z_e.dtype))
        means, met = running_means(state["prototype"], seen, step.cell, step.z_e, self.momentum)
        lines = torch.arange(self.cell_lines, device=step.cell.device)
        here = (step.cell.unsqueeze(0) == lines.unsqueeze(1)).any(1)
        moved = torch.where(here, step.index, state["moved"])
        shares = {
            "counted": state["counted"] + counted.sum(),
            "forced": state["forced"] + (counted * (force.detach() != 0)).sum(),
        }
        return loss, {"prototype": means, "seen": met, "moved": moved, **shares}


@LOSSES.register(
    "prototypes_pull",
    id="M36",
    name="pull to the prototype",
    equation="mean_e ||z_E - sg p_c||^2",
    shapes="z_e [E, w], cell [E]; prototype [C, w] -> scalar",
    source="source document 003 (documented, collapses)",
)
class PullPrototypes(Prototypes):
    """||z_E - sg p_c||^2: shrinks every difference within a cell line, whatever its size, until none is
    left."""

    chosen = {"loss.prototypes.kind": "pull"}

    def force(self, z: Tensor, cell: Tensor, prototype: Tensor, seen: Tensor) -> Tensor:
        return (z - prototype[cell]).square().sum(-1)

    def plain(self, z: Tensor, line: int, prototype: Tensor, seen: Tensor) -> Tensor:
        return torch.dist(z, prototype[line]) ** 2


@LOSSES.register(
    "prototypes_hinged",
    id="M36",
    name="hinged pull",
    equation="mean_e max(0, ||z_E - sg p_c|| - radius)^2",
    shapes="z_e [E, w], cell [E]; prototype [C, w] -> scalar",
    source="source document 003",
)
class HingedPrototypes(Prototypes):
    """max(0, ||z_E - sg p_c|| - radius)^2: no force inside the radius, so that differences within it
    remain."""

    chosen = {"loss.prototypes.kind": "hinged"}

    @classmethod
    def arguments(cls, settings: Mapping[str, Any], sizes: Sizes) -> dict[str, Any]:
        return {**super().arguments(settings, sizes), "radius": settings["loss"]["prototypes"]["radius"]}

    def __init__(self, cell_lines: int, width: int, momentum: float = 0.9, radius: float = 0.5) -> None:
        super().__init__(cell_lines, width, momentum)
        self.radius = radius

    def force(self, z: Tensor, cell: Tensor, prototype: Tensor, seen: Tensor) -> Tensor:
        # The tiny constant keeps the root's derivative finite where z sits on its prototype.
        distance = ((z - prototype[cell]).square().sum(-1) + 1e-12).sqrt()
        return torch.relu(distance - self.radius).square()

    def plain(self, z: Tensor, line: int, prototype: Tensor, seen: Tensor) -> Tensor:
        return (torch.dist(z, prototype[line]).clamp(min=self.radius) - self.radius) ** 2


@LOSSES.register(
    "prototypes_contrastive",
    id="M36",
    name="prototype contrast",
    equation="mean_e -log(exp(s_c) / sum_{k seen} exp(s_k)), s_k = cos(z_E, sg p_k)/tau",
    shapes="z_e [E, w], cell [E]; prototype [C, w] -> scalar",
    source="source document 003; Li et al. 2021, PCL",
)
class ContrastivePrototypes(Prototypes):
    """Cross entropy of the own cell line among the prototypes met so far; 0 while that is one alone."""

    chosen = {"loss.prototypes.kind": "contrastive"}

    @classmethod
    def arguments(cls, settings: Mapping[str, Any], sizes: Sizes) -> dict[str, Any]:
        return {**super().arguments(settings, sizes), "tau": settings["loss"]["prototypes"]["tau"]}

    def __init__(self, cell_lines: int, width: int, momentum: float = 0.9, tau: float = 0.2) -> None:
        super().__init__(cell_lines, width, momentum)
        self.tau = tau

    def force(self, z: Tensor, cell: Tensor, prototype: Tensor, seen: Tensor) -> Tensor:
        similarity = normalize(z, dim=-1, eps=1e-8) @ normalize(prototype, dim=-1, eps=1e-8).T / self.tau
        scores = torch.where(seen > 0, similarity, -1e9)
        return scores.logsumexp(1) - similarity.gather(1, cell.unsqueeze(1)).squeeze(1)

    def plain(self, z: Tensor, line: int, prototype: Tensor, seen: Tensor) -> Tensor:
        scores = cosine_similarity(z, prototype[seen], eps=1e-8) / self.tau
        return cross_entropy(scores.unsqueeze(0), seen[:line].sum().reshape(1))
