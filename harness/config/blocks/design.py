"""What a design is: which configurations a sweep consists of, and what it takes of the sweep's YAML."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from typing import Any, ClassVar, Literal, Protocol

from models.registry import discover

BUILT_IN = "harness.design"
"""The package whose modules enter the designs of the project."""
Changes = dict[str, Any]
"""Dotted path -> value around the base."""


class Entry(Protocol):
    """One entry of a space."""

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


class Design(ABC):
    """Which configurations a sweep consists of: enumerated before anything runs, or `searched`, which a sampler proposes
    one by one. A class declares what stands below and is entered by `@design("NAME")`."""

    name: ClassVar[str]
    searched: ClassVar[bool]
    """Whether a sampler proposes its configurations."""
    scheduler: ClassVar[str]
    """Kind of the scheduler where the YAML gives none."""
    runs: ClassVar[str]
    """What it runs, as a sentence goes on after "which": runs every combination once."""
    idle: ClassVar[tuple[str, ...]] = ()
    """Keys of the YAML that have no meaning under it."""
    folds: ClassVar[Literal["one", "each cell line"]] = "one"
    """The folds that it runs on where the YAML gives none (`data.folds`)."""

    @abstractmethod
    def needs(self, space: Mapping[str, Any]) -> str:
        """Why the `space` block of a YAML is none for it, in a sentence; empty for one that is."""

    @abstractmethod
    def faults(self, space: Varied) -> Iterator[tuple[str, str]]:
        """(name of an entry of the space, why it is none for this design)."""

    @abstractmethod
    def configurations(self, space: Varied) -> list[Changes]:
        """The changes of every configuration that is known before anything runs; none of a search."""

    @abstractmethod
    def trials(self, asked: int | None, space: Varied) -> int:
        """How many configurations a sweep has whose YAML asks for so many."""

    @abstractmethod
    def words(self, sampler: str) -> str:
        """How its configurations come about, in a line of facts."""

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
    idle = ("trials", "sampler")

    def needs(self, space: Mapping[str, Any]) -> str:
        return ""

    def trials(self, asked: int | None, space: Varied) -> int:
        return len(self.configurations(space))


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
        cls.name = name
        _ENTERED[name] = cls()
        return cls

    return enter


def designs() -> dict[str, Design]:
    """Name -> design, those of the project first."""
    _built_in()
    return dict(_ENTERED)


@cache
def _built_in() -> None:
    discover(BUILT_IN)
