"""What registers or declares itself in the code as rows of the catalogue."""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal, get_args, get_origin

from torch import nn

from harness.config.blocks.paths import leaves
from harness.config.blocks.trial import TrialConfig
from harness.mechanisms.mechanism import POSITIVE, Mechanism, Setting
from models.declared import DECLARED
from models.losses.build import build_terms
from models.registry import Registry, Row, discover

PACKAGES = ("models", "harness.trial")
"""Where mechanisms register and declare themselves."""
WEIGHTS = {"temperature": "temperature.penalty"}
"""Loss terms whose weight stands neither under `loss` nor under `decouple`."""


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
            trains = _reach(row, when) if kind == "loss term" else registry.group
            texts = {name: getattr(row, name) for name in ("id", "name", "equation", "shapes", "source")}
            cls = row.cls if issubclass(row.cls, nn.Module) else None
            off = neutral(registry, row)
            yield Mechanism(key=row.mechanism, when=when, trains=trains, cls=cls, kind=kind, off=off, **texts)


def declared() -> Iterator[Mechanism]:
    """A row of the catalogue per mechanism that is no registry's choice."""
    registries()
    for each in DECLARED:
        when = tuple(Setting(*pair) for pair in each.when.items())
        texts = {name: getattr(each, name) for name in ("id", "name", "equation", "shapes", "source")}
        yield Mechanism(
            key=each.key,
            when=when,
            trains=each.group,
            cls=each.cls,
            kind=each.kind,
            off=tuple(each.off.items()),
            **texts,
        )


def settings_of(registry: Registry[Any], row: Row) -> tuple[Setting, ...]:
    """The settings that choose a registry's row.

    Raises
    ------
    UnplacedError
        when no path of the configuration has the row's key as a value, or is its weight.
    """
    if registry.kind == "loss term":
        return _weight_of(row.key)
    if row.key in _options(registry.path):
        beside = (Setting(*pair) for pair in registry.beside.items())
        return (*beside, Setting(registry.path, row.key))
    raise UnplacedError(f"{registry.kind} '{row.key}': no path of the configuration chooses it")


def neutral(registry: Registry[Any], row: Row) -> tuple[tuple[str, Any], ...]:
    """The change of settings that leaves the row out: the registry's neutral row in its place; empty without one."""
    if registry.neutral in ("", row.key):
        return ()
    block, _, key = registry.path.rpartition(".")
    return ((block, {key: registry.neutral}),)


def _weight_of(key: str) -> tuple[Setting, ...]:
    """`loss.task` of a task; the term's own weight; or the weight of a block with the value that chooses the row."""
    if key in _options("loss.task"):
        return (Setting("loss.task", key),)
    for path in (WEIGHTS.get(key), f"decouple.{key}", f"loss.{key}.weight"):
        if path in leaves():
            return (Setting(str(path), POSITIVE),)
    block, _, rest = key.partition("_")
    if f"loss.{block}.{rest}" in leaves():
        return (Setting(f"loss.{block}.{rest}", POSITIVE),)
    for path in leaves():
        if path.startswith(f"loss.{block}.") and rest in _options(path):
            return (Setting(f"loss.{block}.weight", POSITIVE), Setting(path, rest))
    raise UnplacedError(f"loss term '{key}': no path of the configuration is its weight")


def _options(path: str) -> set[str]:
    """Values of a path that takes one of a few names; empty for another path."""
    leaf = leaves().get(path)
    if leaf is None:
        return set()
    kinds = [info.annotation for info in leaf.fields.values()]
    return {value for kind in kinds if get_origin(kind) is Literal for value in get_args(kind)}


def _reach(row: Row, when: tuple[Setting, ...]) -> str:
    """Groups that the term, really built from these settings, may reach."""
    settings = TrialConfig().model_dump()
    for setting in when:
        *blocks, last = setting.path.split(".")
        place = settings
        for block in blocks:
            place = place[block]
        place[last] = 1.0 if setting.value == POSITIVE else setting.value
    terms = build_terms(settings, cell_lines=4, features=8, width=8, statistics=8)
    (term,) = [term for term, _ in terms if isinstance(term, row.cls)]
    return "".join(sorted(term.reach, key="SETGA".index))
