"""The registry of loss terms, which no class enters that leaves anything undeclared."""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import cast, get_args

from models.episode import ATTRIBUTES
from models.losses.term import Direction, LossTerm, Need
from models.registry import Registry, mistyped
from models.sizes import Sizes

GROUPS = "SETGA"
DECLARED = ("key", "weight", "in_phase1", "ramps", "reads", "objectives", "needs", "reach")
"""Declarations that a class must make; `chosen`, `order`, `takes`, `wider`, `without` and `permutes` have defaults in
LossTerm."""


class LossRegistry(Registry[LossTerm]):
    """Loss terms by key.

    Raises
    ------
    ValueError
        when a class is registered that leaves a declaration out, whose declarations contradict each other, or that
        nothing tells apart from a registered one.
    """

    def register(
        self, key: str, *, id: str, name: str, equation: str, shapes: str, source: str, mechanism: str = ""
    ) -> Callable[[type[LossTerm]], type[LossTerm]]:
        """Class decorator: enter the class under `key`."""
        enter = super().register(
            key, id=id, name=name, equation=equation, shapes=shapes, source=source, mechanism=mechanism
        )

        def complete(cls: type[LossTerm]) -> type[LossTerm]:
            if not (isinstance(cls, type) and issubclass(cls, LossTerm)):
                raise ValueError(f"{self.kind} '{key}' is no subclass of LossTerm, which it has to be")
            for fault in chain(_undeclared(cls), _wrong(cls), _contradictions(cls), self._clashes(cls)):
                raise ValueError(f"{self.kind} '{key}' ({cls.__name__}) {fault}")
            return enter(cls)

        return complete

    def terms(self) -> dict[str, type[LossTerm]]:
        """Key of a row -> its class, in the order in which the terms of a step are summed."""
        rows = {row.key: cast(type[LossTerm], row.cls) for row in self}
        return dict(sorted(rows.items(), key=lambda pair: pair[1].order))

    def _clashes(self, cls: type[LossTerm]) -> Iterator[str]:
        """Registered classes that a configuration could build together with this one and could not tell from it."""
        for key, other in self.terms().items():
            alike = other.chosen.keys() == cls.chosen.keys() and other.chosen != cls.chosen
            if other.weight == cls.weight and not alike:
                yield (
                    f"has the weight {cls.weight} of '{key}', and `chosen` does not tell the two apart: expected the same "
                    "paths with other values"
                )
            if other.key == cls.key and other.weight != cls.weight:
                yield f"has the key {cls.key} of '{key}', whose weight is another one ({other.weight})"


def _undeclared(cls: type[LossTerm]) -> Iterator[str]:
    missing = [name for name in DECLARED if not any(name in vars(base) for base in cls.__mro__)]
    if missing:
        yield f"does not declare {', '.join(missing)}"


def _wrong(cls: type[LossTerm]) -> Iterator[str]:
    """Declarations of a wrong type, and what it says to read and no step has."""
    yield from (f"declares {fault}" for fault in mistyped(cls))
    if not isinstance(cls.reach, frozenset):
        yield f"declares reach = {cls.reach!r}, expected a frozenset of {', '.join(GROUPS)}"
    if unknown := sorted(cls.reads - ATTRIBUTES):
        yield f"reads {unknown[0]}, and what a step has is {', '.join(sorted(ATTRIBUTES))}"


def _contradictions(cls: type[LossTerm]) -> Iterator[str]:
    widest = cls.reach.union(*cls.wider.values())
    moved = {group for _, groups in cls.objectives for group in groups}
    if unknown := sorted((widest | moved) - set(GROUPS)):
        yield f"names the group {unknown[0]}, and groups are {', '.join(GROUPS)}"
    if widest != moved:
        yield (
            f"declares to reach {_letters(widest)}, and objectives over {_letters(moved)}: expected one over every group "
            "that it may reach, and none over others"
        )
    if len(cls.objectives) > 1 and cls.parts is LossTerm.parts:
        yield (
            f"declares {len(cls.objectives)} objectives and no `parts`: expected a method that gives the scalar of each, "
            "since one value cannot be all of them"
        )
    if wrong := {direction for _, direction in cls.objectives.values()} - set(get_args(Direction)):
        yield f"declares the direction {wrong.pop()!r}, and directions are {' and '.join(get_args(Direction))}"
    if unsized := sorted({*cls.takes} - {*Sizes._fields}):
        yield f"takes the size {unsized[0]}, and sizes are {', '.join(Sizes._fields)}"
    if cls.permutes and cls.permutes not in cls.reads:
        yield f"permutes {cls.permutes}, and reads {', '.join(sorted(cls.reads)) or 'nothing'}: expected one of these"
    if unmet := sorted(cls.needs - set(get_args(Need))):
        yield f"needs {unmet[0]}, and what a term can need is {', '.join(get_args(Need))}"


def _letters(groups: set[str] | frozenset[str]) -> str:
    return "".join(sorted(groups, key=GROUPS.index)) or "nothing"


LOSSES = LossRegistry("loss term", LossTerm)
