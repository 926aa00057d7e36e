"""Rows of the catalogue from everything that registers or declares itself."""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from typing import Any, cast

from torch import nn

from harness.config.blocks.paths import leaves, options
from harness.config.blocks.read_where import POSITIVE
from harness.config.sweep.use import place_of_class
from harness.mechanisms.mechanism import Mechanism, Setting
from models.declared import DECLARED
from models.environment.base import Environment
from models.losses import LossTerm
from models.registry import INPUTS, PLACES, Registry, Row, discover

PACKAGES = ("models", "harness.trial")
"""Where mechanisms register and declare themselves."""


class UnplacedError(LookupError):
    """A registered row that no path of the configuration chooses."""


@cache
def registries() -> dict[str, Registry[Any]]:
    """Every registry of mechanisms by its kind, filled by importing all modules that may have one."""
    tables: dict[str, Registry[Any]] = {}
    for package in PACKAGES:
        discover(package)
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            members = vars(importlib.import_module(module.name)).values()
            tables |= {member.kind: member for member in members if isinstance(member, Registry)}
    return tables


def registered() -> Iterator[Mechanism]:
    """A row of the catalogue per row of a registry, in the registries' order."""
    for kind, registry in registries().items():
        for row in registry:
            when = settings_of(registry, row)
            trains = _reach(row) if kind == "loss term" else registry.group
            texts = {name: getattr(row, name) for name in ("id", "name", "equation", "shapes", "source")}
            cls = row.cls if issubclass(row.cls, nn.Module) else None
            off = neutral(registry, row)
            acts, reads = declarations(registry, row)
            without, kept = removal(registry, row)
            yield Mechanism(
                key=row.mechanism,
                when=when,
                trains=trains,
                cls=cls,
                kind=kind,
                off=off,
                acts=acts,
                reads=reads,
                without=without,
                kept=kept,
                permutes=row.cls.permutes if issubclass(row.cls, LossTerm | Environment) else "",
                brought=bool(place_of_class(row.cls)),
                **texts,
            )


def declared() -> Iterator[Mechanism]:
    """A row of the catalogue per mechanism that is no registry's choice."""
    registries()
    for declaration in DECLARED:
        when = tuple(Setting(*pair) for pair in declaration.when.items())
        texts = {name: getattr(declaration, name) for name in ("id", "name", "equation", "shapes", "source")}
        yield Mechanism(
            key=declaration.key,
            when=when,
            trains=declaration.group,
            cls=declaration.cls,
            acts=declaration.acts,
            reads=declaration.reads,
            kind=declaration.kind,
            off=tuple(declaration.off.items()),
            without=tuple((declaration.without or declaration.off).items()),
            kept=declaration.kept,
            brought=declaration.cls is not None and bool(place_of_class(declaration.cls)),
            **texts,
        )


def settings_of(registry: Registry[Any], row: Row) -> tuple[Setting, ...]:
    """The settings that choose a registry's row.

    Raises
    ------
    UnplacedError
        when no path of the configuration has the row's key as a value; when a loss term's weight is none, or no value
        chooses it.
    """
    if registry.kind == "loss term":
        return _declared(row)
    if row.key in _options(registry.path):
        beside = (Setting(*pair) for pair in registry.beside.items())
        return (*beside, Setting(registry.path, row.key))
    raise UnplacedError(f"{registry.kind} '{row.key}': no path of the configuration chooses it")


def declarations(registry: Registry[Any], row: Row) -> tuple[frozenset[str], frozenset[str]]:
    """Where the row acts and what it reads, in words that there are; a loss term reads of a Step."""
    acts, reads = row.cls.acts, row.cls.reads
    unknown = acts - set(PLACES) | (set() if registry.kind == "loss term" else reads - set(INPUTS))
    if unknown or not acts:
        word = f"'{min(unknown)}'" if unknown else "nothing"
        raise UnplacedError(
            f"{registry.kind} '{row.key}' declares {word}: it may act in {', '.join(PLACES)} and read {', '.join(INPUTS)}"
        )
    return acts, reads


def neutral(registry: Registry[Any], row: Row) -> tuple[tuple[str, Any], ...]:
    """The change of settings that leaves the row out: the registry's neutral row in its place; empty without one."""
    if registry.neutral in ("", row.key):
        return ()
    block, _, key = registry.path.rpartition(".")
    return ((block, {key: registry.neutral}),)


def removal(registry: Registry[Any], row: Row) -> tuple[tuple[tuple[str, Any], ...], str]:
    """The settings of a configuration without the row, or why there is none.

    Raises
    ------
    UnplacedError
        for a registry that does not say what is there where none of its rows is chosen.
    """
    if registry.kind == "loss term":
        term = cast(type[LossTerm], row.cls)
        if term.weight not in term.chosen:
            return ((term.weight, 0.0),), ""
        return tuple(term.without.items()), "" if term.without else "a model is trained on a task"
    if not registry.plain:
        raise UnplacedError(f"{registry.kind} '{row.key}': nothing says what is there without it")
    if registry.plain == row.key:
        return (), f"it is the plain {registry.kind}, which stands where another one is taken out"
    return ((registry.path, registry.plain),), ""


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
    return set() if leaf is None else set(options(leaf))


def _reach(row: Row) -> str:
    """Groups that a loss term declares to reach, in the order of the table of groups."""
    return "".join(sorted(cast(type[LossTerm], row.cls).reach, key="SETGA".index))
