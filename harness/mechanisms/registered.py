"""Rows of the registries as rows of the catalogue: a class that is registered appears here by itself."""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal, cast, get_args, get_origin

import models
from harness.config.blocks.paths import leaves
from harness.mechanisms.mechanism import POSITIVE, Mechanism, Setting
from models.losses import LossTerm
from models.registry import Registry, Row
from models.sequence.interaction import INTERACTIONS

CHOICES = {
    "energy form": ("energy.form", "G"),
    "temperature mode": ("temperature.mode", "G"),
    "environment source": ("environment.source", "E"),
    "set encoder": ("environment.encoder", "E"),
    "teacher": ("environment.teacher.kind", "T"),
    "prototype graph": ("environment.graph.kind", "T"),
    "encoder": ("model.encoder", "S"),
}
"""Kind of a registry -> the path that chooses a row of it, and the group of its parameters."""
BESIDE = {"set encoder": (Setting("environment.source", "support"),), "encoder": ()}


class UnplacedError(LookupError):
    """A registered row that no path of the configuration chooses."""


@cache
def registries() -> dict[str, Registry[Any]]:
    """Every registry under `models` by its kind, filled by importing all modules there."""
    found: dict[str, Registry[Any]] = {INTERACTIONS.kind: INTERACTIONS}
    for module in pkgutil.walk_packages(models.__path__, "models."):
        members = vars(importlib.import_module(module.name)).values()
        found |= {member.kind: member for member in members if isinstance(member, Registry)}
    return found


def registered() -> Iterator[Mechanism]:
    """A row of the catalogue per row of a registry, in the registries' order."""
    for kind, registry in registries().items():
        for row in registry:
            when = settings_of(kind, row)
            trains = _reach(row) if kind == "loss term" else CHOICES[kind][1]
            texts = {name: getattr(row, name) for name in ("id", "name", "equation", "shapes", "source")}
            yield Mechanism(key=row.key, when=when, trains=trains, cls=row.cls, kind=kind, **texts)


def settings_of(kind: str, row: Row) -> tuple[Setting, ...]:
    """The settings that choose a registry's row.

    Raises
    ------
    UnplacedError
        when no path of the configuration has the row's key as a value; when a loss term's weight is none, or no value
        chooses it.
    """
    if kind == "loss term":
        return _declared(row)
    if kind in CHOICES and row.key in _options(CHOICES[kind][0]):
        return (*BESIDE.get(kind, ()), Setting(CHOICES[kind][0], row.key))
    raise UnplacedError(f"{kind} '{row.key}': no path of the configuration chooses it")


def _declared(row: Row) -> tuple[Setting, ...]:
    """The weight that a loss term declares, and what chooses it among those that share the weight."""
    term = cast(type[LossTerm], row.cls)
    for path, value in term.chosen.items():
        if value not in _options(path):
            raise UnplacedError(f"loss term '{row.key}': {path} has no value {value}")
    chosen = tuple(Setting(*choice) for choice in term.chosen.items())
    if term.weight in term.chosen:
        return chosen
    if term.weight not in leaves():
        raise UnplacedError(f"loss term '{row.key}': {term.weight} is no path of the configuration")
    return (Setting(term.weight, POSITIVE), *chosen)


def _options(path: str) -> set[str]:
    """Values of a path that takes one of a few names; empty for another path."""
    leaf = leaves().get(path)
    if leaf is None:
        return set()
    kinds = [info.annotation for info in leaf.fields.values()]
    return {value for kind in kinds if get_origin(kind) is Literal for value in get_args(kind)}


def _reach(row: Row) -> str:
    """Groups that a loss term declares to reach, in the order of the table of groups."""
    return "".join(sorted(cast(type[LossTerm], row.cls).reach, key="SETGA".index))
