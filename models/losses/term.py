"""What a loss term is: a scalar of one step, the parameter groups it may reach, and its explicit state."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from models.episode import Step
from models.registry import Registry

State = dict[str, Tensor]


class LossTerm(nn.Module):
    """value, new state = term(step, state). The state goes in and comes out; nothing is written in place.

    `key` is the term's name in the store and in the schedules; several classes share one where one is chosen.
    `reach`: groups among S (sequence), E (environment: the Student), T (environment: Teacher and prototype
    graph), G (temperature, lam, w), A (own parameters) that the value may move under isolated routing
    (definitions, Reach). The trainer enforces it: a term stops a gradient only where its equation has sg. A term
    without anything to compare (no positives, no second cell line, an empty bank) is 0, not NaN; NaN in what it
    reads makes it NaN.
    """

    key: str
    reach: frozenset[str]
    weight: ClassVar[str]
    """Dotted path of its weight in the settings. Where that path is one that `chosen` names, the weight is 1."""
    chosen: ClassVar[Mapping[str, object]] = {}
    """Dotted path -> value that chooses this class among those that share its weight."""
    needs: ClassVar[frozenset[str]] = frozenset()
    """What a configuration that switches it on has to have (harness.config.blocks.needs)."""
    wider: ClassVar[Mapping[tuple[str, object], frozenset[str]]] = {}
    """(dotted path, value) of settings -> groups that they add to its reach."""

    @classmethod
    def weight_in(cls, settings: Mapping[str, Any]) -> float:
        """Its weight where the settings choose this class, 0 where they do not."""
        if any(value_at(settings, path) != value for path, value in cls.chosen.items()):
            return 0.0
        return 1.0 if cls.weight in cls.chosen else value_at(settings, cls.weight) or 0.0

    def initial_state(self) -> State:
        """State before the first step; empty for a term that remembers nothing."""
        return {}

    def ages(self, state: State, index: int) -> dict[str, Tensor]:
        """How full and how old, in steps before step `index`, what the state remembers is (columns of `epochs`);
        empty for a term that remembers nothing of the kind, and for an age of nothing."""
        return {}

    def awake(self, state: State) -> State:
        """A state of the same shape in which every part of the term acts, for the audit: a running mean that has to
        fill up before a part acts is no reason to call it dead. The state itself where nothing waits."""
        return state

    def rests(self, state: State) -> str:
        """Why the term has nothing to do at this state, which is no fault, in words; empty where it acts."""
        return ""

    @abstractmethod
    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        """(scalar, new state)."""


def value_at(settings: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path of plain settings; None where the variant of a block does not have it."""
    place: Any = settings
    for key in path.split("."):
        place = None if place is None else place.get(key)
    return place


LOSSES: Registry[LossTerm] = Registry("loss term")

EVERY_SIDE = frozenset({"S", "E", "T", "G"})
ENVIRONMENT = frozenset({"E", "T"})
STUDENT = frozenset({"E"})
SEQUENCE = frozenset({"S"})


def ages_of(written: Tensor, held: Tensor, index: int, name: str) -> dict[str, Tensor]:
    """{NAME_age_mean, NAME_age_max} of the entries where held [n] is 1, written at steps written [n]; {} of none."""
    age, held = index - written.to(torch.float64), held.to(torch.float64)
    if not bool(held.any()):
        return {}
    oldest = torch.where(held > 0, age, 0.0).max()
    return {f"{name}_age_mean": masked_mean(age, held), f"{name}_age_max": oldest}


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """sum(mask values) / max(sum(mask), 1): the mean where mask is 1, and 0 when that is nowhere."""
    return (mask * values).sum() / mask.sum().clamp(min=1)
