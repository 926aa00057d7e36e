"""Conditions of a space (`when:`) that can never hold are mistakes, and are named before anything runs."""

import itertools
from collections.abc import Mapping
from typing import Any

from analysis.errors import nearest
from harness.config.blocks.explain import ConfigError
from harness.config.blocks.paths import find, leaves
from harness.config.space.distributions import DistributionBlock, same, word
from harness.config.space.space import Space, as_list

MOST = 100_000
"""Combinations of conditions that are tried; entries below more than that are taken as reachable."""


def check_conditions(
    name: str, entry: DistributionBlock, entries: Mapping[str, DistributionBlock], held: Mapping[str, Any]
) -> None:
    """Each condition of `entry` alone: its key exists and can have the value that it asks for.

    `held` is the base's value of every path. Raises ConfigError with path `space.NAME.when.KEY`.
    """
    for key, wanted in entry.when.items():
        at = f"space.{name}.when.{key}"
        if key not in entries:
            _check_fixed(name, key, as_list(wanted), entries, held)
            continue
        known = entries[key].values()
        if known is None:
            raise ConfigError(
                at, f"{name}: when names {key}, which is a range; a condition needs finite values"
            )
        for value in as_list(wanted):
            if not entries[key].accepts(value):
                offered = [word(one) for one in known[:12]]
                raise ConfigError(
                    at,
                    f"{name}: when {key} is {word(value)} can never hold, the space offers "
                    f"{', '.join(offered)}{nearest(word(value), offered)}",
                )


def check_reachable(name: str, space: Space) -> None:
    """Conditions that can hold one by one may still exclude each other; ConfigError where they do."""
    needed: list[str] = []
    waiting = [name]
    while waiting:
        for key in space.entries[waiting.pop()].when:
            if key in space.entries and key not in needed:
                needed.append(key)
                waiting.append(key)
    ancestors = [key for key in space.entries if key in needed]
    values = [space.entries[key].values() or [] for key in ancestors]
    total = 1
    for options in values:
        total *= len(options)
    if total > MOST:
        return
    for combination in itertools.product(*values):
        drawn: dict[str, Any] = {}
        for key, value in zip(ancestors, combination, strict=True):
            if space.holds(key, drawn):
                drawn[key] = value
        if space.holds(name, drawn):
            return
    raise ConfigError(f"space.{name}.when", f"{name}: its conditions can never hold together")


def _check_fixed(
    name: str,
    key: str,
    wanted: list[Any],
    entries: Mapping[str, DistributionBlock],
    held: Mapping[str, Any],
) -> None:
    at = f"space.{name}.when.{key}"
    owners = [other for other, entry in entries.items() if key in entry.paths(other)]
    if owners:
        raise ConfigError(at, f"{name}: when names {key}, which '{owners[0]}' sets; name {owners[0]} instead")
    try:
        find(key)
    except ConfigError:
        hint = nearest(key, [*entries, *leaves()])
        raise ConfigError(
            at, f"{name}: when names '{key}', which is neither in the space nor a path{hint}"
        ) from None
    if not any(same(held.get(key), value) for value in wanted):
        actual = f"is {word(held[key])}" if key in held else "does not exist"
        asked = " or ".join(word(value) for value in wanted)
        raise ConfigError(
            at,
            f"{name}: when {key} is {asked} can never hold, the space does not vary {key} and it {actual}",
        )
