"""Gradient routing (M41): the one place where it is decided which parameters a loss term may move.

The sequence side is run once; its outputs are cut off as leaves (the boundary). Every term is differentiated with
respect to exactly the leaves and parameters that it may reach; the sum of what arrives at the boundary is then
sent through the sequence side in one backward pass. A term that reads parameters of the sequence side themselves
(group sparsity) gets those directly. Under `shared` every term reaches everything. How the routed gradients of
several terms are put together is `harness.trial.step.balance`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.declared import declare
from models.registry import TRAINING

EVERYTHING = frozenset({"S", "E", "T", "G", "A"})


class RoutingError(RuntimeError):
    """A loss term's gradient arrived at parameters that it may not reach."""


@dataclass(frozen=True)
class WeightedTerm:
    """A term's value (scalar with graph), its weight now, the groups that it may reach and its `parameters` (A)."""

    name: str
    value: Tensor
    weight: float
    reach: frozenset[str]
    parameters: tuple[nn.Parameter, ...]


@dataclass(frozen=True)
class Boundary:
    """Outputs of the sequence side with their graph, and the detached leaves that the rest was computed from."""

    outputs: tuple[Tensor, ...]
    leaves: tuple[Tensor, ...]


Gradients = dict[nn.Parameter, Tensor]
Arriving = Sequence[Tensor | None]


class Router:
    """Routes gradients of weighted terms to parameter groups S, E, T, G (by qualified name) and A (a term's own)."""

    def __init__(self, groups: Mapping[str, Mapping[str, nn.Parameter]], routing: str) -> None:
        self.groups = {group: tuple(members.values()) for group, members in groups.items()}
        self.shared = routing == "shared"

    def reach_of(self, term: WeightedTerm) -> frozenset[str]:
        return EVERYTHING if self.shared else term.reach

    def targets(self, term: WeightedTerm) -> set[nn.Parameter]:
        """Parameters of S, E, T and G that the term may reach."""
        reach = self.reach_of(term)
        return {p for group in self.groups if group in reach for p in self.groups[group]}

    def gradients(self, terms: Sequence[WeightedTerm], boundary: Boundary) -> Gradients:
        """Gradient of the weighted sum of terms, each only where it may reach; parameters reached by none are absent."""
        total, arriving = self.at_boundary(terms, boundary)
        for parameter, gradient in self._through_sequence(boundary, arriving).items():
            total[parameter] = total[parameter] + gradient if parameter in total else gradient
        return total

    def at_boundary(self, terms: Sequence[WeightedTerm], boundary: Boundary) -> tuple[Gradients, Arriving]:
        """The same as far as the boundary: the gradient of each parameter that is not reached through it, and what arrives
        at the boundary's outputs (None where nothing does)."""
        total: Gradients = {}
        arriving: list[Tensor | None] = [None] * len(boundary.leaves)
        by_reach: dict[frozenset[str], list[WeightedTerm]] = {}
        for term in terms:
            if term.weight != 0.0:
                by_reach.setdefault(self.reach_of(term), []).append(term)
        for reach, members in by_reach.items():
            loss = torch.stack([term.weight * term.value for term in members]).sum()
            if not loss.requires_grad:
                continue
            leaves = boundary.leaves if "S" in reach else ()
            parameters = [
                p for group in ("S", "E", "T", "G") if group in reach for p in self.groups.get(group, ())
            ]
            if "A" in reach:
                parameters += [p for term in members for p in term.parameters]
            if not leaves and not parameters:
                continue
            parts = torch.autograd.grad(loss, [*leaves, *parameters], retain_graph=True, allow_unused=True)
            for k in range(len(leaves)):
                arriving[k] = _add(arriving[k], parts[k])
            for parameter, gradient in zip(parameters, parts[len(leaves) :], strict=True):
                if gradient is not None:
                    total[parameter] = total[parameter] + gradient if parameter in total else gradient
        return total, arriving

    def _through_sequence(self, boundary: Boundary, arriving: Arriving) -> Gradients:
        return through(zip(boundary.outputs, arriving, strict=True), self.groups.get("S", ()))

    def _check_route(self, term: WeightedTerm, gradients: Gradients) -> None:
        """Raise RoutingError unless the term's gradient is exactly zero on every parameter that it may not reach."""
        reach = self.reach_of(term)
        allowed = self.targets(term) | (set(term.parameters) if "A" in reach else set())
        leaked = gradient_norm(g for p, g in gradients.items() if p not in allowed)
        if leaked > 0.0:
            raise RoutingError(
                f"loss term {term.name} may reach {', '.join(sorted(reach))}, and its gradient on other parameters "
                f"has norm {leaked:.3g}"
            )

    def norms(self, term: WeightedTerm, separate: Mapping[str, Gradients]) -> tuple[float, float]:
        """Norms of the term's and of the task's gradient, of all in `separate` by name, on the term's targets."""
        targets = self.targets(term)
        norm, task = (
            gradient_norm(g for p, g in separate[name].items() if p in targets)
            for name in (term.name, "task")
        )
        return norm, task

    def shares(self, terms: Sequence[WeightedTerm], boundary: Boundary) -> dict[str, tuple[float, float]]:
        """`shares_of` the terms' gradients, each computed by itself."""
        return self.shares_of(terms, {term.name: self.gradients([term], boundary) for term in terms})

    def shares_of(
        self, terms: Sequence[WeightedTerm], separate: Mapping[str, Gradients]
    ) -> dict[str, tuple[float, float]]:
        """Per term: (norm of its weighted gradient on its targets S, E, T, G; that norm over the task's on the same).

        `separate`: their gradients by name, on which the routes are checked (RoutingError). The share is NaN where the task
        has no gradient on the targets; a term that reaches A alone has norm 0.
        """
        for term in terms:
            self._check_route(term, separate[term.name])
        shares = {}
        for term in terms:
            norm, task = self.norms(term, separate)
            shares[term.name] = (norm, norm / task if task > 0 else float("nan"))
        return shares


def through(
    arriving: Iterable[tuple[Tensor, Tensor | None]], parameters: Sequence[nn.Parameter]
) -> Gradients:
    """Gradients of the sequence side's parameters from (output, what arrives at it); those that none reaches are absent."""
    reached = [(output, part) for output, part in arriving if part is not None and output.requires_grad]
    if not reached:
        return {}
    outputs, cotangents = zip(*reached, strict=True)
    gradients = torch.autograd.grad(
        outputs, parameters, grad_outputs=cotangents, retain_graph=True, allow_unused=True
    )
    return {p: g for p, g in zip(parameters, gradients, strict=True) if g is not None}


def gradient_norm(gradients: object) -> float:
    """Euclidean norm over an iterable of gradients; 0 for an empty one."""
    norms = [torch.linalg.vector_norm(g.detach()) for g in gradients]  # type: ignore[attr-defined]
    return float(torch.linalg.vector_norm(torch.stack(norms))) if norms else 0.0


def norms_of_each(gradients: Gradients) -> dict[nn.Parameter, Tensor]:
    """Euclidean norm [] of every gradient by its parameter, where it was computed."""
    return {parameter: torch.linalg.vector_norm(g.detach()) for parameter, g in gradients.items()}


def _add(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    if a is None or b is None:
        return b if a is None else a
    return a + b


declare(
    "M41", "isolated", kind="routing", name="isolated gradient routing", when={"routing": "isolated"},
    equation="d loss_i / d theta = 0 for theta outside the groups that term i names",
    shapes="gradients -> gradients", source="source documents 000 and 001", off={"routing": "shared"},
    acts=TRAINING, reads=frozenset({"gradients"}),
)  # fmt: skip
declare(
    "M41", "shared", kind="routing", name="shared gradients (documented entanglement)",
    when={"routing": "shared"}, equation="every term reaches every group", shapes="gradients -> gradients",
    source="rp11, rp12", off={"routing": "isolated"},
    acts=TRAINING, reads=frozenset({"gradients"}),
)  # fmt: skip
