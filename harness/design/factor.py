"""A factor with two levels, and whether both are told apart by every run of a design."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.config.blocks.acting import unread
from harness.config.blocks.design import Changes
from harness.config.blocks.explain import ConfigError
from harness.config.blocks.paths import flatten
from harness.design.settling import Compose


@dataclass(frozen=True)
class Factor:
    """A factor: what its two levels change in the base, in words and in settings; `place` is its key of the YAML."""

    name: str
    low: Changes
    high: Changes
    texts: tuple[str, str]
    place: str
    along: tuple[str, ...] = ()

    def moved(self, base: Mapping[str, Any]) -> list[str]:
        """Paths that its levels give different values to, of those that the flat `base` has."""
        paths = {**self.low, **self.high}
        return [
            path
            for path in paths
            if self.low.get(path, base.get(path)) != self.high.get(path, base.get(path))
        ]


def at_levels(factors: Sequence[Factor], row: Sequence[int]) -> Changes:
    """What a run changes: each factor at its level, -1 or +1."""
    changes: Changes = {}
    for factor, level in zip(factors, row, strict=True):
        changes |= factor.high if level > 0 else factor.low
    return changes


def inert(factors: Sequence[Factor], levels: np.ndarray, compose: Compose) -> Iterator[tuple[Factor, str]]:
    """(factor, why its levels are the same model in some run), in the order of the runs; levels int [runs, factors]."""
    base = flatten(compose({}).model_dump())
    moved = {factor.name: factor.moved(base) for factor in factors}
    for factor in factors:
        if not moved[factor.name] or _same(factor, compose):
            yield factor, f"the two levels of {factor.name} are the same configuration"
    for row in levels:
        try:
            config = compose(at_levels(factors, row))
        except ConfigError:
            continue  # a run that cannot be is refused as that
        idle = unread(config, [path for paths in moved.values() for path in paths])
        for factor in factors:
            paths = moved[factor.name]
            if paths and all(path in idle for path in paths):
                needs = idle[paths[0]]
                switched = [
                    other.name
                    for other in factors
                    if other is not factor and any(path in needs for path in moved[other.name])
                ]
                yield (
                    factor,
                    f"{factor.name} acts only with {needs}, which {', '.join(switched) or 'another factor'} takes away in "
                    "some runs, and factors are free of each other: leave one of them out, or vary both as the named "
                    "options of one entry",
                )


def _same(factor: Factor, compose: Compose) -> bool:
    """Whether its levels alone make one configuration of the base, once all is decided: a key left out and its default."""
    try:
        return compose(factor.low).resolved().id == compose(factor.high).resolved().id
    except ConfigError:
        return False
