"""Swept keys of terms and mechanisms that did nothing: dimensions of a space along which configurations do not differ."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from analysis.flags import units_of_run
from analysis.reported import configuration_changes, resolved_configurations
from analysis.rules.never_acted import MECHANISM, TERM, NeverActed
from analysis.store import Run

_BLOCK = ".weight"
"""How the path of a weight ends that is the weight of a whole block, all keys of which belong to the term."""
_ALL = ".*"
"""How what names all keys of a block ends."""
_OFF = "none"
"""Value of a choice under which there is no mechanism."""


@dataclass(frozen=True)
class Dimension:
    """A key that has several values among the configurations of a run, and whose term or mechanism was silent in some.

    values: those of the `configured` configurations that had the term and were judged, in order; `acted`: in how many of
    them it ever acted, in whatever unit.
    """

    key: str
    values: tuple[Any, ...]
    configured: int
    acted: int

    @property
    def dead(self) -> bool:
        return self.acted == 0

    def sentence(self) -> str:
        """`KEY was swept over 0.01 to 1 in 8 configurations and never acted in any: this dimension is dead`."""
        counted = f"{self.configured} configuration{'s' if self.configured > 1 else ''}"
        swept = f"{self.key} was swept over {_span(self.values)} in {counted}"
        if self.dead:
            return f"{swept} and never acted in any: this dimension is dead"
        return f"{swept} and acted in {self.acted} of {self.configured}"


def silent_dimensions(run: Run) -> list[Dimension]:
    """The dead dimensions of a run, then those that acted in some of their configurations only; by key.

    A term or a part of a mechanism counts where it was configured and where its units have ended, by the rule never_acted;
    of a configuration that no unit judges nothing is said. The keys of a term are those of its block, or its weight alone
    where that is a number of a block of several terms; those of a part stand in the table `mechanisms`. Of what a key
    belongs to by itself and with its block the former counts, and of several it acted where any of them did. A key that
    the space gives under a condition counts where it gave it.
    """
    acted = _acted(run)
    if all(all(configs.values()) for configs in acted.values()):
        return []
    contents, changes = resolved_configurations(run), configuration_changes(run)
    keys, dimensions = _keys(run), []
    for key in sorted(_differing(contents)):
        did = _judged(key, keys, acted)
        held = {config: contents[config][key] for config in did if key in contents[config]}
        drawn = {config: value for config, value in held.items() if _sets(changes[config], key)}
        held = drawn or held
        count = sum(did[config] for config in held)
        others = (content.get(key, _OFF) for config, content in contents.items() if config not in held)
        chooses = any(key in keys[name] for name in keys if name.startswith(MECHANISM))
        if count == len(held) or (chooses and _unjudged(others)):
            continue
        dimensions.append(Dimension(key, _ordered(held.values()), len(held), count))
    return sorted(dimensions, key=lambda each: (not each.dead, each.key))


def dimensions_view(run: Run) -> Iterator[RenderableType]:
    """A line per dimension; nothing for a run whose swept terms all acted."""
    dimensions = silent_dimensions(run)
    if dimensions:
        yield Text("\nSwept without effect", style="bold")
    for dimension in dimensions:
        style = "bold red" if dimension.dead else "yellow"
        yield Padding(Text(dimension.sentence(), style=style), (0, 0, 0, 2))


def _acted(run: Run) -> dict[str, dict[str, bool]]:
    """Name of a value of never_acted -> configuration that has the thing and was judged -> whether it acted in any unit."""
    readings = NeverActed().measure(units_of_run(run))
    configs = run.table("units")["config"].to_numpy()[readings.unit]
    things: dict[str, dict[str, bool]] = {}
    for name, first in readings.values.items():
        if not name.startswith((TERM, MECHANISM)):
            continue
        there = ~np.isnan(first)
        acted = pd.Series(first[there] == 0).groupby(configs[there]).any()
        things[name] = {str(config): bool(each) for config, each in acted.items()}
    return things


def _keys(run: Run) -> dict[str, frozenset[str]]:
    """Name of a value of never_acted -> its settings: paths, and `BLOCK.*`; without terms of a store that has no paths."""
    terms = run.table("terms")[["term", "weight_key"]].dropna().drop_duplicates("term")
    keys = {
        TERM + term: frozenset({weight, *_block(weight)})
        for term, weight in zip(terms["term"], terms["weight_key"], strict=True)
    }
    parts = run.acted()[["id", "mechanism", "part", "keys"]].drop_duplicates()
    for row in parts.itertuples(index=False):
        name = f"{MECHANISM}{row.id} {row.mechanism} {row.part}"
        keys[name] = keys.get(name, frozenset()) | frozenset(str(row.keys).split(","))
    return keys


def _block(weight: str) -> list[str]:
    return [weight.removesuffix(_BLOCK) + _ALL] if weight.endswith(_BLOCK) else []


def _judged(
    key: str, keys: Mapping[str, frozenset[str]], acted: Mapping[str, Mapping[str, bool]]
) -> dict[str, bool]:
    """Configuration -> whether anything that the key belongs to acted, of those in which something of it was judged."""
    exact = [name for name in acted if key in keys.get(name, ())]
    names = exact or [name for name in acted if any(_inside(key, pattern) for pattern in keys.get(name, ()))]
    did: dict[str, bool] = {}
    for name in names:
        for config, each in acted[name].items():
            did[config] = did.get(config, False) or each
    return did


def _inside(key: str, pattern: str) -> bool:
    return pattern.endswith(_ALL) and key.startswith(pattern.removesuffix("*"))


def _unjudged(values: Iterable[Any]) -> bool:
    """Whether a choice or an amount has a value that is not none or 0 where nothing of it was judged: it may act there."""
    return any(value not in (_OFF, None, 0) for value in values)


def _sets(changes: Mapping[str, Any], key: str) -> bool:
    """Whether changes (dotted path -> value) give the key a value, by itself or with its block."""
    return any(key == path or key.startswith(f"{path}.") for path in changes)


def _differing(contents: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Paths that have more than one value, among the configurations that have them."""
    values: dict[str, set[str]] = {}
    for content in contents.values():
        for path, value in content.items():
            values.setdefault(path, set()).add(json.dumps(value, sort_keys=True))
    return {path for path, each in values.items() if len(each) > 1}


def _ordered(values: Iterable[Any]) -> tuple[Any, ...]:
    """The different ones, numbers by size, others by their text."""
    different = {json.dumps(value, sort_keys=True): value for value in values}
    if all(_number(value) for value in different.values()):
        return tuple(sorted(different.values()))
    return tuple(different[text] for text in sorted(different))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _span(values: tuple[Any, ...]) -> str:
    """`0.01 to 1` of numbers, `pull, hinged` of others; a single value is one that is off elsewhere."""
    if all(_number(value) for value in values):
        low, high = f"{values[0]:.3g}", f"{values[-1]:.3g}"
        return low if low == high else f"{low} to {high}"
    return ", ".join(str(value) for value in values)
