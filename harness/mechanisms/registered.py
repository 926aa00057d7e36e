"""Rows of the registries as rows of the catalogue: a class that is registered appears here by itself."""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from typing import Any

import models
from harness.config.blocks.paths import leaves, options
from harness.config.blocks.trial import TrialConfig
from harness.mechanisms.mechanism import POSITIVE, Mechanism, Setting
from models.losses.build import build_terms
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
WEIGHTS = {"temperature": "temperature.penalty"}
"""Loss terms whose weight stands neither under `loss` nor under `decouple`."""
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
            trains = _reach(row, when) if kind == "loss term" else CHOICES[kind][1]
            texts = {name: getattr(row, name) for name in ("id", "name", "equation", "shapes", "source")}
            yield Mechanism(key=row.key, when=when, trains=trains, cls=row.cls, kind=kind, **texts)


def settings_of(kind: str, row: Row) -> tuple[Setting, ...]:
    """The settings that choose a registry's row.

    Raises
    ------
    UnplacedError
        when no path of the configuration has the row's key as a value, or is its weight.
    """
    if kind == "loss term":
        return _weight_of(row.key)
    if kind in CHOICES and row.key in _options(CHOICES[kind][0]):
        return (*BESIDE.get(kind, ()), Setting(CHOICES[kind][0], row.key))
    raise UnplacedError(f"{kind} '{row.key}': no path of the configuration chooses it")


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
    return set() if leaf is None else set(options(leaf))


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
