"""The interface of a loss term: a scalar of one step, an explicit state, and what trainer, audit and plan read of it."""

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from models.episode import Step
from models.registry import TRAINING
from models.sizes import Sizes

State = dict[str, Tensor]
Direction = Literal["up", "down"]
Objectives = Mapping[tuple[str, str], tuple[str, Direction]]
"""(part of the term, letters of the groups that it moves) -> (what is moved there, and which way)."""
Need = Literal[
    "z_e", "cell_lines", "student", "teacher", "hidden_names", "features", "prior", "single_line_support"
]
"""Conditions on a configuration for a term to act: an environment source that gives z_E and R_E; at least 4 cell
lines in a step; environment.source: support; a Teacher; names that are hidden at times; environment.source: features;
a prior over cell lines; support sets of one cell line each."""

EVERY_SIDE = frozenset({"S", "E", "T", "G"})
ENVIRONMENT = frozenset({"E", "T"})
STUDENT = frozenset({"E"})
SEQUENCE = frozenset({"S"})
OWN = frozenset({"A"})


class LossTerm(nn.Module):
    """value, new state = term(step, state). The state goes in and comes out; nothing is written in place.

    A term stops a gradient only where its equation has sg: what it may reach is the trainer's to enforce. A term
    without anything to compare (no positives, no second cell line, an empty bank) is 0, not NaN; NaN in what it reads
    makes it NaN. A class declares what stands below, all of it that has no value here, or cannot be registered.
    """

    key: ClassVar[str]
    """Its name in the store and in the schedules; classes of which a configuration chooses one share it."""
    weight: ClassVar[str]
    """Dotted path of its weight in the settings. Where that path is one that `chosen` names, the weight is 1."""
    chosen: ClassVar[Mapping[str, object]] = {}
    """Dotted path -> value that chooses this class among those that share its weight."""
    order: ClassVar[float] = math.inf
    """Its place in the sum of terms, on whose order the last bits depend: the smallest first, and by default the last."""
    in_phase1: ClassVar[bool]
    """Whether it trains in phase 1 of the curriculum, in which the environment side rests."""
    ramps: ClassVar[bool]
    """Whether its weight rises where the configuration has a ramp."""
    acts: ClassVar[frozenset[str]] = TRAINING
    """Where it acts: no term is there in a prediction."""
    reads: ClassVar[frozenset[str]]
    """Attributes of a Step that it reads, under whatever settings."""
    objectives: ClassVar[Objectives]
    """What its parts lower or raise, and over which groups; the union is every group that any settings let it move."""
    needs: ClassVar[frozenset[Need]]
    """Conditions on a configuration that switches it on."""
    takes: ClassVar[tuple[str, ...]] = ()
    """Names of the `Sizes` that its constructor takes."""
    reach: frozenset[str]
    """Groups among S (sequence), E (environment: the Student), T (environment: Teacher and prototype graph), G
    (temperature, lam, w), A (own parameters) that it may move under isolated routing (definitions, Reach)."""
    wider: ClassVar[Mapping[tuple[str, object], frozenset[str]]] = {}
    """(dotted path, value) of settings -> groups that they add to its reach."""
    without: ClassVar[Mapping[str, object]] = {}
    """Settings of a configuration without it, of a term that has no weight to set to 0; empty where there is none."""
    permutes: ClassVar[str] = ""
    """The input whose samples its placebo sees in another order (`models.losses.permuted`); empty for a term that would
    then be another one: it has no input that pairs samples, or several."""

    @classmethod
    def weight_in(cls, settings: Mapping[str, Any]) -> float:
        """Its weight where the settings choose this class, 0 where they do not."""
        if any(value_at(settings, path) != value for path, value in cls.chosen.items()):
            return 0.0
        return 1.0 if cls.weight in cls.chosen else value_at(settings, cls.weight) or 0.0

    @classmethod
    def reach_in(cls, settings: Mapping[str, Any]) -> frozenset[str]:
        """Groups that it declares to move under these settings."""
        added = (groups for (path, value), groups in cls.wider.items() if value_at(settings, path) == value)
        return cls.reach.union(*added)

    @classmethod
    def arguments(cls, settings: Mapping[str, Any], sizes: Sizes) -> dict[str, Any]:
        """Arguments of its constructor: by default the sizes that it takes, and the keys of the block that has its weight
        by the name `weight`, but for the weight and what chooses the class. A weight that is one number of a block of
        several terms has no keys."""
        taken = {name: value for name, value in sizes._asdict().items() if name in cls.takes}
        block, _, name = cls.weight.rpartition(".")
        if name != "weight":
            return taken
        passed = {cls.weight, *cls.chosen}
        keys: Mapping[str, Any] = value_at(settings, block)
        return {key: value for key, value in keys.items() if f"{block}.{key}" not in passed} | taken

    def initial_state(self) -> State:
        """State before the first step; empty for a term that remembers nothing."""
        return {}

    def report(self, state: State, index: int) -> dict[str, Tensor]:
        """Numbers of the state after step `index` (rows of the table `reports`): name -> scalar, or [C] with a number per
        training cell line. Empty for a term that has nothing to say, and without the age of nothing."""
        return {}

    def awake(self, state: State) -> State:
        """A state of the same shape in which every part of the term acts, for the audit: a running mean that has to
        fill up before a part acts is no reason to call it dead. The state itself where nothing waits."""
        return state

    def rests(self, state: State) -> str:
        """Why the term has nothing to do at this state, which is no fault, in words; empty where it acts."""
        return ""

    def seen(self, step: Step) -> Step:
        """The step whose values its definition speaks of: the step itself, but for a placebo."""
        return step

    def parts(self, step: Step, state: State) -> dict[str, Tensor]:
        """Part of `objectives` -> the plain scalar that it lowers or raises on this step, which the audit differentiates
        numerically. No reversal stands in it, and a class that gives its own computes it without `forward`, so that
        the two do not share a fault. By default the value, of a term of one part."""
        ((part, _),) = self.objectives
        return {part: self(step, state)[0]}

    @abstractmethod
    def forward(self, step: Step, state: State) -> tuple[Tensor, State]:
        """(scalar, new state)."""


def value_at(settings: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path of plain settings; None where the variant of a block does not have it."""
    value: Any = settings
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


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
