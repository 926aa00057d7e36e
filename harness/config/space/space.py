"""A space: swept paths with their distributions and conditions, sampled define-by-run or enumerated."""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import optuna

from harness.config.blocks.explain import ConfigError
from harness.config.space.distributions import MISSING, DistributionBlock, same, word


class Space:
    """Draws changes (dotted path -> value) around a base.

    `entries` maps a path, or the name of a named choice, to its distribution (empty: the base alone), and keeps them in
    an order in which every condition is decided before what depends on it. A condition on an entry that a draw does not
    have is false; one on a path that the space does not vary is decided by `fixed`, the base's value of that path.

    Raises
    ------
    ValueError
        for conditions that depend on each other in a circle.
    """

    def __init__(
        self, entries: Mapping[str, DistributionBlock], fixed: Mapping[str, Any] | None = None
    ) -> None:
        self.entries = {name: entries[name] for name in _ordered(entries)}
        self.fixed = dict(fixed or {})

    def sample(self, trial: optuna.trial.Trial) -> dict[str, Any]:
        """One draw: only entries whose conditions hold are asked of `trial`, and only they are in the result."""
        return self.draw(lambda name, entry: entry.suggest(trial, name))

    def enumerate(self) -> list[dict[str, Any]]:
        """Every distinct draw of a finite space, in the order of the YAML (the last entry varies fastest).

        Raises
        ------
        ValueError
            when an entry is a continuous range.
        """
        for name, entry in self.entries.items():
            if entry.values() is None:
                raise ValueError(f"{name} ({entry.text()}) is continuous and cannot be enumerated")
        return list(self.combinations(lambda entry: entry.values() or ()))

    def size(self) -> int | None:
        """Upper bound on distinct draws, conditions left aside; None when a range is continuous."""
        sizes = [entry.values() for entry in self.entries.values()]
        return None if None in sizes else math.prod(len(values) for values in sizes if values is not None)

    def describe(self) -> list[dict[str, str]]:
        """One row per entry: its `path`, `distribution` and `when` as text."""
        return [
            {
                "path": name,
                "distribution": entry.text(),
                "when": " and ".join(
                    f"{key} is {' or '.join(map(word, as_list(value)))}" for key, value in entry.when.items()
                ),
            }
            for name, entry in self.entries.items()
        ]

    def holds(self, name: str, drawn: Mapping[str, Any]) -> bool:
        """Whether every condition of entry `name` holds, given what was drawn before it."""
        for key, wanted in self.entries[name].when.items():
            if key in self.entries:
                if key not in drawn:
                    return False
                actual = drawn[key]
            else:
                actual = self.fixed.get(key)
            if not any(same(actual, one) for one in as_list(wanted)):
                return False
        return True

    def find(self, settings: Mapping[str, Any]) -> dict[str, Any] | None:
        """The draw (name of entry -> value) that gives the values of `settings` (dotted path -> value; paths that no
        entry sets are left aside), or None when there is none."""
        drawn: dict[str, Any] = {}
        for name, entry in self.entries.items():
            if self.holds(name, drawn):
                drawn[name] = entry.drawn(name, settings)
                if drawn[name] is MISSING:
                    return None
        return drawn

    def content(self) -> dict[str, Any]:
        """Everything that decides what is drawn, as plain data; of two spaces that draw alike it is equal."""
        # An arm's changes may be of any type, of which pydantic would warn.
        entries = {name: entry.model_dump(warnings=False) for name, entry in sorted(self.entries.items())}
        return {"entries": entries, "fixed": dict(sorted(self.fixed.items()))}

    def combinations(
        self, values_of: Callable[[DistributionBlock], Sequence[Any]]
    ) -> Iterator[dict[str, Any]]:
        """Every distinct draw when each entry takes the values of `values_of`."""
        seen = set()
        for drawn in self._expand(list(self.entries), {}, values_of):
            changes = self.changes(drawn)
            key = changes_key(changes)
            if key not in seen:
                seen.add(key)
                yield changes

    def draw(self, value_of: Callable[[str, DistributionBlock], Any]) -> dict[str, Any]:
        """One draw with `value_of(name, entry)` asked for every entry whose conditions hold."""
        drawn: dict[str, Any] = {}
        for name, entry in self.entries.items():
            if self.holds(name, drawn):
                drawn[name] = value_of(name, entry)
        return self.changes(drawn)

    def _expand(
        self, names: list[str], drawn: dict[str, Any], values_of: Callable[[DistributionBlock], Sequence[Any]]
    ) -> Iterator[dict[str, Any]]:
        if not names:
            yield drawn
            return
        name, *rest = names
        if not self.holds(name, drawn):
            yield from self._expand(rest, drawn, values_of)
            return
        for value in values_of(self.entries[name]):
            yield from self._expand(rest, {**drawn, name: value}, values_of)

    def changes(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """What a draw (name of entry -> value) sets: dotted path -> value."""
        changes: dict[str, Any] = {}
        for name, value in drawn.items():
            entry = self.entries[name]
            for path, one in entry.changes(name, value).items():
                if path in changes:
                    others = [o for o in drawn if o != name and path in self.entries[o].paths(o)]
                    raise ConfigError(
                        f"space.{name}", f"{path} is set twice in one draw, by {name} and by {others[0]}"
                    )
                changes[path] = one
        return changes


def changes_key(changes: Mapping[str, Any]) -> str:
    """A text that is equal for equal changes, whatever their order: a hash, since thousands are kept."""
    return hashlib.blake2b(repr(sorted(changes.items())).encode(), digest_size=16).hexdigest()


def as_list(wanted: Any) -> list[Any]:
    """A condition's value or values, as a list."""
    return list(wanted) if isinstance(wanted, list) else [wanted]


def _ordered(entries: Mapping[str, DistributionBlock]) -> list[str]:
    """Names with parents before children, otherwise in the given order."""
    order: list[str] = []
    waiting = list(entries)
    while waiting:
        ready = next(
            (n for n in waiting if all(key in order or key not in entries for key in entries[n].when)), None
        )
        if ready is None:
            raise ValueError(f"the conditions of {', '.join(waiting)} depend on each other in a circle")
        order.append(ready)
        waiting.remove(ready)
    return order
