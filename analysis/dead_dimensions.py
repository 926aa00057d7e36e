"""Swept keys of loss terms that did nothing: dimensions of a space along which its configurations do not differ."""

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
from analysis.rules.never_acted import TERM, NeverActed
from analysis.store import Run

_BLOCK = ".weight"
"""How the path of a weight ends that is the weight of a whole block, all keys of which belong to the term."""


@dataclass(frozen=True)
class Dimension:
    """A key that has several values among the configurations of a run, and whose loss term did not act in all of them.

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

    A term counts where it was configured (weight above 0) and where its units have ended, by the rule never_acted; of a
    configuration that no unit judges nothing is said. The keys are those of the term's block, or its weight alone where
    that is a number of a block of several terms. A key that the space gives under a condition counts where it gave it.
    """
    weights = _weight_keys(run)
    silent = {
        term: acted for term, acted in _acted(run).items() if term in weights and not all(acted.values())
    }
    if not silent:
        return []
    contents, changes = resolved_configurations(run), configuration_changes(run)
    differing, dimensions = _differing(contents), []
    for term, acted in silent.items():
        for key in sorted(key for key in differing if _of_term(key, weights[term])):
            held = {config: contents[config][key] for config in acted if key in contents[config]}
            drawn = {config: value for config, value in held.items() if _sets(changes[config], key)}
            held = drawn or held
            count = sum(acted[config] for config in held)
            if count < len(held):
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
    """Term -> configuration that has it and was judged -> whether it acted in any of its units."""
    readings = NeverActed().measure(units_of_run(run))
    configs = run.table("units")["config"].to_numpy()[readings.unit]
    terms: dict[str, dict[str, bool]] = {}
    for name, first in readings.values.items():
        if not name.startswith(TERM):
            continue
        there = ~np.isnan(first)
        acted = pd.Series(first[there] == 0).groupby(configs[there]).any()
        terms[name.removeprefix(TERM)] = {str(config): bool(each) for config, each in acted.items()}
    return terms


def _weight_keys(run: Run) -> dict[str, str]:
    """Term -> path of its weight; without terms of a store that does not have it."""
    rows = run.table("terms")[["term", "weight_key"]].dropna().drop_duplicates("term")
    return dict(zip(rows["term"], rows["weight_key"], strict=True))


def _of_term(key: str, weight: str) -> bool:
    """Whether a key is the weight, or of the block that the weight is of."""
    return key == weight or (weight.endswith(_BLOCK) and key.startswith(weight.removesuffix("weight")))


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
