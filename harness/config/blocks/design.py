"""What a design is: which configurations a sweep consists of, and what it takes of the sweep's YAML."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, Literal, Protocol

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from analysis.errors import nearest
from harness.config.blocks.block import Block
from harness.config.blocks.explain import ConfigError, show, validate
from harness.config.blocks.trial import ConfigurationBlock
from models.registry import discover

BUILT_IN = "harness.design"
"""The package whose modules enter the designs of the project."""
Changes = dict[str, Any]
"""Dotted path -> value around the base."""


class Entry(Protocol):
    """One entry of a space."""

    @property
    def when(self) -> Mapping[str, Any]:
        """What has to hold for it to exist: path or name -> value or values."""

    def changes(self, name: str, value: Any) -> Mapping[str, Any]:
        """What drawing a value sets: dotted path -> value."""

    def values(self) -> Collection[Any] | None:
        """Every value, or None for a continuous range."""

    def text(self) -> str:
        """The distribution as a person reads it."""


class Varied(Protocol):
    """The space of a sweep, as a design sees it."""

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Path or name -> entry."""

    def enumerate(self) -> list[Changes]:
        """Every distinct draw of a finite space."""

    def size(self) -> int | None:
        """Upper bound on distinct draws; None where a range is continuous."""


@dataclass(frozen=True)
class Arm:
    """One configuration of a design: what it `changes` around the base, and what plan.json says of it beside that."""

    changes: Changes
    name: str = ""
    """What a person calls it: "base", "without graph"; empty where the changes say all there is to say."""
    family: str = ""
    """The comparisons that it belongs to: base, removal, addition, A/A placebo, capacity placebo, factorial, path."""
    along: tuple[str, ...] = ()
    """Keys of the mechanisms that go, or come, with the one that it is named for."""
    levels: Mapping[str, int] = field(default_factory=dict)
    """Factor -> -1 or +1."""
    note: str = ""
    """What else a person should know of it: what stands in a mechanism's place, whether its capacity is held."""
    mechanism: str = ""
    """Keys of the mechanisms that it is named for: a removal and its placebo have the same."""


class DesignBlock(Block):
    """What a design takes beside the space; one that takes anything declares a block of its own."""

    kind: str


class Basis(Protocol):
    """What the configurations of a sweep stand on."""

    @property
    def options(self) -> Any:
        """The design's block."""

    @property
    def space(self) -> Varied:
        """What is varied by `space`."""

    @property
    def seeds(self) -> list[int]:
        """The seeds of every configuration."""

    @property
    def larger_is_better(self) -> bool:
        """Which way the objective is better."""

    @property
    def base(self) -> str:
        """Name of the base preset."""

    def compose(self, changes: Changes) -> ConfigurationBlock:
        """The base (preset, trial, set) with changes; ConfigError for a configuration that cannot be."""

    def preset(self, name: str) -> ConfigurationBlock:
        """Another preset under the same trial and set."""


Reached = Callable[[Changes], Mapping[int, float] | None]
"""Changes of an arm -> what each seed reached of the objective (mean over folds; without those that reached nothing); None
where the arm has something to run."""


class Design(ABC):
    """Which configurations a sweep consists of: enumerated before anything runs, or `searched`, which a sampler proposes
    one by one. A class declares what stands below and is entered by `@design("NAME")`."""

    name: ClassVar[str]
    options: ClassVar[type[DesignBlock]] = DesignBlock
    """The block that it takes: `design: {kind: NAME, ...}`."""
    searched: ClassVar[bool]
    """Whether its configurations are proposed one by one, in the light of those that ran."""
    ablates: ClassVar[bool] = False
    """Whether it compares arms that have to be trained alike: no scheduler may end some of them early."""
    folds: ClassVar[Literal["one", "each cell line"]] = "one"
    """The folds where the data block names none: the default one, or one per cell line as the unseen test line."""
    scheduler: ClassVar[str]
    """Kind of the scheduler where the YAML gives none."""
    runs: ClassVar[str]
    """What it runs, as a sentence goes on after "which": runs every combination once."""
    idle: ClassVar[tuple[str, ...]] = ()
    """Keys of the YAML that have no meaning under it."""

    @abstractmethod
    def needs(self, space: Mapping[str, Any]) -> str:
        """Why the `space` block of a YAML is none for it, in a sentence; empty for one that is."""

    @abstractmethod
    def faults(self, space: Varied) -> Iterator[tuple[str, str]]:
        """(name of an entry of the space, why it is none for this design)."""

    @abstractmethod
    def arms(self, basis: Basis) -> list[Arm]:
        """Every configuration that is known before anything runs; none of a search.

        Raises ConfigError, whose path begins with `design` or `space`, for a basis that it can do nothing with.
        """

    @abstractmethod
    def trials(self, asked: int | None, basis: Basis) -> int:
        """How many configurations a sweep has whose YAML asks for so many."""

    @abstractmethod
    def words(self, sampler: str) -> str:
        """How its configurations come about, in a line of facts."""

    def lines(self, basis: Basis) -> list[str]:
        """What a person has to know before it runs and the table of arms does not say."""
        return []

    def inert(self, basis: Basis) -> Iterator[tuple[str, str]]:
        """(key of the YAML, why what it varies changes nothing in some run), asked for once, before anything runs."""
        yield from ()

    def kept(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
        """Of a run that is started again: the configurations that are asked for, of those that it has and those that
        the new start knows."""
        return {**old, **new} if self.searched else dict(new)

    def missing(self, trials: int, known: Collection[str]) -> int:
        """Configurations that are still to be proposed beside those that are known."""
        return max(0, trials - len(known)) if self.searched else 0

    def advice(self, sampler: Any, asked: int | None, space: Varied) -> Iterator[str]:
        """Sentences on a sweep that can run and would still disappoint."""
        yield from ()


class Enumerated(Design):
    """A design whose configurations are known before anything runs."""

    searched = False
    scheduler = "none"
    idle = ("trials", "sampler", "enqueue")

    def needs(self, space: Mapping[str, Any]) -> str:
        return ""

    def trials(self, asked: int | None, basis: Basis) -> int:
        return len(self.arms(basis))

    def faults(self, space: Varied) -> Iterator[tuple[str, str]]:
        yield from ()


@dataclass(frozen=True)
class Walk:
    """Arms that were taken one after the other, the first where it starts: (what a step moved, the arm after it)."""

    title: str
    steps: tuple[tuple[str, Arm], ...]


class Staged(Design):
    """A design that says what runs next when all that it asked for has ended: an ablation that walks."""

    searched = True
    scheduler = "none"
    idle = ("trials", "sampler", "enqueue")
    ablates = True
    folds = "each cell line"

    @abstractmethod
    def next_arms(self, basis: Basis, reached: Reached) -> list[Arm]:
        """The arms that are to run, given what others reached; none when it is at its end."""

    @abstractmethod
    def ending(self, basis: Basis, reached: Reached) -> list[str]:
        """What came of it, in lines."""

    @abstractmethod
    def halves(self, seeds: Sequence[int]) -> tuple[list[int], list[int]]:
        """The seeds that choose, and those that report."""

    @abstractmethod
    def walks(self, basis: Basis, reached: Reached) -> list[Walk]:
        """The arms that were taken so far, from each end."""

    @abstractmethod
    def sizes(self, basis: Basis) -> list[tuple[int, int]]:
        """(steps, the most configurations that so many take), from one step to as many as are asked for."""

    @abstractmethod
    def moves(self, basis: Basis) -> Mapping[str, Mapping[str, Any]]:
        """The steps that there are: name -> dotted path -> value that it lays over the base."""

    @abstractmethod
    def after(self, basis: Basis, steps: Collection[str]) -> Mapping[str, Any]:
        """The changes of the base after these steps."""

    def walked(self, basis: Basis) -> int:
        """Steps that are asked for."""
        return self.sizes(basis)[-1][0]

    def faults(self, space: Varied) -> Iterator[tuple[str, str]]:
        yield from ()

    def arms(self, basis: Basis) -> list[Arm]:
        return []


_ENTERED: dict[str, Design] = {}


def design(name: str) -> Callable[[type[Design]], type[Design]]:
    """Class decorator: enter a design under the name that a YAML gives it.

    Raises
    ------
    ValueError
        for a name that is taken, and a class without docstring or with something left to declare.
    """

    def enter(cls: type[Design]) -> type[Design]:
        if not cls.__module__.startswith(BUILT_IN):
            _built_in()  # first, so that a name of theirs is taken
        if name in _ENTERED:
            raise ValueError(f"design: {name} is registered already")
        missing = sorted(cls.__abstractmethods__)
        missing += [
            attribute
            for attribute in ("searched", "scheduler", "runs")
            if not any(attribute in vars(base) for base in cls.__mro__)
        ]
        if missing:
            raise ValueError(f"design {name} ({cls.__name__}) does not declare {', '.join(missing)}")
        if not (cls.__dict__.get("__doc__") or "").strip():
            raise ValueError(f"design {name} ({cls.__name__}) has no docstring")
        if not issubclass(cls.options, DesignBlock):
            raise ValueError(
                f"design {name}: {cls.options.__name__} is no DesignBlock, which its options have to be"
            )
        cls.name = name
        _ENTERED[name] = cls()
        return cls

    return enter


def designs() -> dict[str, Design]:
    """Name -> design, those of the project first."""
    _built_in()
    return dict(_ENTERED)


class Designed:
    """Mark of the field that chooses a design: its name, or a block with the name as `kind` and what the design takes."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._checked)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        blocks = []
        for name, each in designs().items():
            block = each.options.model_json_schema()
            block["properties"]["kind"] = {"const": name}
            blocks.append({**block, "title": name, "description": (type(each).__doc__ or "").strip()})
        return {"anyOf": [{"enum": [*designs()], "type": "string"}, *blocks]}

    def _checked(self, value: Any) -> DesignBlock:
        if isinstance(value, DesignBlock):
            return value
        if isinstance(value, Mapping):
            if "kind" not in value:
                raise ConfigError("design", f"design needs its key kind: one of {', '.join(designs())}")
            name, where = value["kind"], "design.kind"
        else:
            name, where, value = value, "design", {"kind": value}
        if not isinstance(name, str) or name not in designs():
            hint = nearest(str(name), designs())
            raise ConfigError(where, f"{where} is {show(name)}, expected one of {', '.join(designs())}{hint}")
        try:
            return validate(designs()[name].options, value)
        except ConfigError as error:
            raise ConfigError(f"design.{error.path}", f"design {name}: {error}") from None


@cache
def _built_in() -> None:
    discover(BUILT_IN)
