"""One row of the catalogue: what a mechanism is, which keys switch it on, and what it may train."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.declared import GIVEN, POSITIVE
from models.registry import PLACES, TRAINING

GROUPS = {
    "S": "sequence side",
    "E": "environment side",
    "T": "Teacher and graph",
    "G": "energy scalars T, lam, w",
    "A": "own critic or adversary",
}


@dataclass(frozen=True)
class Setting:
    """`path` of the configuration and the value that it must have: a literal, POSITIVE or GIVEN."""

    path: str
    value: Any

    def holds(self, settings: Mapping[str, Any]) -> bool:
        """Whether plain settings (a configuration's `model_dump()`) have it; not where the variant lacks the path."""
        value: Any = settings
        for key in self.path.split("."):
            if not isinstance(value, Mapping) or key not in value:
                return False
            value = value[key]
        if self.value == POSITIVE:
            return isinstance(value, int | float) and value > 0
        if self.value == GIVEN:
            return value is not None and value != []
        return bool(value == self.value)

    def __str__(self) -> str:
        if self.value in (POSITIVE, GIVEN):
            return f"{self.path} {self.value}"
        written = "null" if self.value is None else self.value
        return f"{self.path}: {str(written).lower() if isinstance(written, bool) else written}"


@dataclass(frozen=True)
class Mechanism:
    """A mechanism that the documents name.

    id: M01 to M43. key: its name in tables, unique. when: settings that together configure it. trains: groups (keys of
    GROUPS) that it may train; empty for one that trains nothing itself. kind: the registry that it is a row of, or what
    it is declared as (`models.declared`). acts, reads: where it acts and what it reads (`models.registry`; a loss term
    reads of a Step). cls: its class, where that is a torch module. off: changes of plain settings that leave it out while
    everything else stays, for a mechanism that is neither a module nor a loss term. A configuration without it has the
    settings `without` (dotted path -> value), or `kept` says why there is none. permutes: input that its placebo permutes,
    empty for a mechanism without placebo. brought: whether it is of a person's own file, and not the project's.
    """

    id: str
    key: str
    name: str
    when: tuple[Setting, ...]
    equation: str
    shapes: str
    source: str
    trains: str
    kind: str
    acts: frozenset[str]
    reads: frozenset[str]
    cls: type | None = None
    off: tuple[tuple[str, Any], ...] = ()
    without: tuple[tuple[str, Any], ...] = ()
    kept: str = ""
    permutes: str = ""
    brought: bool = False

    def configured(self, settings: Mapping[str, Any]) -> bool:
        """Whether plain settings configure it."""
        return all(setting.holds(settings) for setting in self.when)

    @property
    def unheld(self) -> str:
        """Why there is no placebo that has its capacity and not its information; empty where there is one.

        A loss term has one where one of its inputs says which samples belong together; a module where what it reads stands
        in a table before training. Anything else would be the same mechanism, or make a pair's score hang on other pairs.
        """
        if self.permutes:
            return ""
        if self.kind == "loss term":
            return "no one input of it says which samples belong together"
        if not self.trains:
            return "it has no parameters that could be kept"
        if not self.reads:
            return "it reads nothing but its own parameters, which have no order"
        if self.reads == {"cell_line"}:
            return "it knows cell lines by name, and is the same under other names"
        if self.acts == TRAINING:
            return (
                f"it is part of a loss term that has none, and reads {', '.join(sorted(self.reads))} for it"
            )
        return "given what belongs to other pairs, it would let a pair's score depend on them, across splits"

    def row(self) -> dict[str, str]:
        """The texts of the catalogue."""
        return {
            "id": self.id,
            "name": self.name,
            "key": ", ".join(map(str, self.when)),
            "equation": self.equation,
            "shapes": self.shapes,
            "source": self.source,
            "trains": " ".join(sorted(self.trains, key="SETGA".find)) or "nothing of its own",
            "acts": " ".join(place for place in PLACES if place in self.acts),
            "reads": " ".join(sorted(self.reads)) or "nothing",
            "without": ", ".join(str(Setting(*pair)) for pair in self.without) or f"stays: {self.kept}",
            "placebo": f"{self.permutes} permuted" if self.permutes else f"none: {self.unheld}",
        }
