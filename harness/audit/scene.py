"""A step in float64 whose scalars can be followed along a gradient: what numerical derivatives are taken of."""

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from harness.audit.behind_sequence import given_sides
from harness.audit.plain_gradient import other_gradient
from harness.audit.probe import Probe
from harness.trial.episodes.batches import forward
from harness.trial.step.measure import Measured, Sides
from harness.trial.step.routing import Boundary, Gradients, WeightedTerm
from harness.trial.step.trainer import Trainer
from models.environment.resistance import Reference
from models.losses.term import LossTerm, State
from models.sequence.potential import SequenceOutput
from models.stopped import Held

SHARES = {"S": 1.0, "E": 2**0.5, "T": 3**0.5, "G": 5**0.5, "A": 7**0.5}
"""Of what several groups do to a scalar together: in no simple ratio, in which opposite faults could cancel."""

EVEN = 1e3
"""Ratio of two gradients' norms up to which their tensors move a scalar by the same."""


class Scene:
    """A clone of a probe's state in float64, at a state of each term in which all of its parts act.

    terms: by key; gradients: term -> its routed gradient with weight 1; plain: term of several objectives over one group
    -> part -> routed gradient of that part's plain scalar; unlike: term -> where its gradient on what it reads is another
    one than its plain scalars give, in words (`plain_gradient`). What terms send into the sequence side is followed where
    it enters there; `through`: of the loss terms of these keys alone, and through all of that side.
    """

    def __init__(self, probe: Probe, *, through: Collection[str] | None = None) -> None:
        clone = probe.behind(whole=True) if through is None else probe.clone()
        self.probe, self.trainer = probe, in_double(clone)
        self.terms = {
            term.key: term for term, _ in self.trainer.weighted if through is None or term.key in through
        }
        self.gradients: dict[str, Gradients] = {}
        self.plain: dict[str, dict[str, Gradients]] = {}
        self.unlike: dict[str, str] = {}
        self._held: dict[str, Held] = {}
        self._now: dict[str, dict[str, float]] = {}
        # Everything that needs a graph comes first: following a gradient writes parameters in place.
        support = probe.sides.support
        self._kept = Sides(*[SequenceOutput(*(part.double() for part in support))] * 2)
        sides = self._sides()
        measured = self._measured(sides)
        for key, term in self.terms.items():
            self.gradients[key] = self._routed(
                term, term(measured.step, self._state(key))[0], measured.boundary
            )
            self.unlike[key] = other_gradient(term, measured.step, self._state(key))
            letters = [letter for _, groups in term.objectives for letter in groups]
            if len(letters) > len(set(letters)):
                parts = term.parts(measured.step, self._state(key))
                self.plain[key] = {
                    part: self._routed(term, scalar, measured.boundary) for part, scalar in parts.items()
                }
        self._kept = sides

    def members(self, key: str, letter: str) -> list[nn.Parameter]:
        """Parameters of a group that the term's gradient reaches."""
        groups = self.trainer.router.groups
        members = self.terms[key].parameters() if letter == "A" else groups.get(letter, ())
        return [parameter for parameter in members if parameter in self.gradients[key]]

    def scalars(self, key: str) -> dict[str, float]:
        """The term's plain scalars where it stands, which also records what is held from then on."""
        if key not in self._now:
            self._held[key] = Held()
            self._now[key] = self._parts(key, self._kept)
        return self._now[key]

    def size(self, key: str, letter: str) -> float:
        """What the scalar moves by per length along the gradient on a group (`_pulls`)."""
        return sum(pull for _, pull in self._pulls(key, letter).values())

    def slopes(self, key: str, sizes: Mapping[str, float], length: float) -> dict[str, float]:
        """Part -> difference of its scalar over a step to either side along the term's gradient on groups, by letter with
        their sizes, over what the gradient says: 1 for the scalar that has this gradient. The group of the smallest size
        goes as far as `length`, and each group moves the scalar by as much as that, times its `SHARES`."""
        least = min(sizes.values())
        shares = {letter: SHARES[letter] if len(sizes) > 1 else 1.0 for letter in sizes}
        lengths = {letter: shares[letter] * length * least / size for letter, size in sizes.items()}
        ahead, behind = (self._scalars_at(key, lengths, way) for way in (1.0, -1.0))
        expected = 2 * length * least * sum(shares.values())
        return {part: (ahead[part] - behind[part]) / expected for part in ahead}

    def _pulls(self, key: str, letter: str) -> dict[nn.Parameter, tuple[float, float]]:
        """Of each tensor of a group with a gradient of the term: the norm g of that, and min(g, f), what it moves the
        scalar by per length where it goes min(g, f) / g of the length along it; f: the smallest of these norms, or 1/EVEN
        of the largest. So a tensor counts beside one of a far larger gradient."""
        members = self.members(key, letter)
        norms = {
            parameter: float(torch.linalg.vector_norm(self.gradients[key][parameter]))
            for parameter in members
        }
        norms = {parameter: norm for parameter, norm in norms.items() if norm != 0.0}
        floor = max(min(norms.values()), max(norms.values()) / EVEN) if norms else 0.0
        return {parameter: (norm, min(norm, floor)) for parameter, norm in norms.items()}

    @torch.no_grad()
    def _scalars_at(self, key: str, lengths: Mapping[str, float], way: float) -> dict[str, float]:
        """The scalars where the groups have gone `way` times their length along the gradient, from where they come back."""
        kept = []
        for letter, length in lengths.items():
            for parameter, (norm, pull) in self._pulls(key, letter).items():
                kept.append((parameter, parameter.clone()))
                parameter.add_(self.gradients[key][parameter], alpha=way * length * pull / norm**2)
        scalars = self._parts(key, self._sides() if "S" in lengths else self._kept)
        for parameter, value in kept:
            parameter.copy_(value)
        return scalars

    @torch.no_grad()
    def _parts(self, key: str, sides: Sides) -> dict[str, float]:
        with self._held[key].run():
            step = self._measured(sides).step
            parts = self.terms[key].parts(step, self._state(key))
            return {part: float(scalar) for part, scalar in parts.items()}

    def _state(self, key: str) -> State:
        return self.terms[key].awake(self.trainer.states[key])

    def _sides(self) -> Sides:
        """The sequence side with the parameters as they are now; support pairs that are stopped there are held."""
        trainer, batch = self.trainer, self.probe.batch
        if trainer.router.shared or given_sides(trainer) is not None:
            return trainer.measuring.sides(batch, trainer.draws, trainer.index)
        noise = trainer.draws.noise(trainer.index)
        query = forward(trainer.model, trainer.dataset, batch.query, trainer.device, noise)
        return Sides(self._kept.support, query)

    def _measured(self, sides: Sides) -> Measured:
        trainer = self.trainer
        parts = (trainer.draws, trainer.index, trainer.reference, trainer.memory)
        return trainer.measuring(self.probe.batch, *parts, warm=False, sides=sides)

    def _routed(self, term: LossTerm, value: Tensor, boundary: Boundary) -> Gradients:
        """What the router makes of a scalar with weight 1."""
        weighted = WeightedTerm(term.key, value, 1.0, term.reach, tuple(term.parameters()))
        return self.trainer.router.gradients([weighted], boundary)


@contextlib.contextmanager
def drawn_in_double() -> Iterator[None]:
    """What is drawn and made without a type is float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def in_double(trainer: Trainer) -> Trainer:
    """The same trainer with parameters and explicit states in float64."""

    def cast(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {k: v.double() if v.is_floating_point() else v for k, v in values.items()}

    trainer.model.double()
    trainer.terms.double()
    trainer.states = {key: cast(state) for key, state in trainer.states.items()}
    trainer.reference = Reference(*(part.double() for part in trainer.reference))
    trainer.memory = cast(trainer.memory)
    if trainer.v is not None:
        trainer.v = trainer.measuring.v = trainer.v.double()
    return trainer


def flat(gradients: Gradients, parameters: Sequence[nn.Parameter]) -> Tensor:
    """The gradients in one row; zeros where there is none."""
    return torch.cat([gradients.get(p, torch.zeros_like(p)).detach().flatten() for p in parameters])
