"""Turns the `space:` block into a Space and refuses, before anything runs, what could not be drawn or composed."""

import itertools
import random
from collections.abc import Iterator, Mapping
from typing import Any

from harness.config.explain import ConfigError, show, validate
from harness.config.paths import find, leaves
from harness.errors import nearest
from harness.space.compose import compose
from harness.space.distributions import KINDS, Choice, Distribution, same, word
from harness.space.space import Space, as_list

EXHAUSTIVE = 400
"""Spaces with at most this many combinations of finite values and range ends are composed whole."""
DRAWS = 300
"""Random draws composed for larger spaces (and one per value of every entry besides)."""


def build_space(raw: Mapping[str, Mapping[str, Any]], base: Mapping[str, Any]) -> Space:
    """The space of a sweep around the sparse mapping `base`.

    Raises
    ------
    ConfigError
        whose path starts with `space.`, for an unknown path, kind or condition, a value outside the path's type or
        range, a condition that can never hold, and a combination that is not a valid configuration.
    """
    entries = {name: parse_entry(name, body) for name, body in raw.items()}
    for name, entry in entries.items():
        _check_values(name, entry)
    held = _values_of(compose(base, {}).model_dump())
    for name, entry in entries.items():
        _check_conditions(name, entry, entries, held)
    fixed = {key: held.get(key) for entry in entries.values() for key in entry.when if key not in entries}
    try:
        space = Space(entries, fixed)
    except ValueError as error:
        raise ConfigError("space", str(error)) from None
    for name in space.entries:
        _check_reachable(name, space)
    for changes in probe(space):
        _check_composes(changes, base, space)
    return space


def parse_entry(name: str, body: Any) -> Distribution:
    """One entry: exactly one of the kinds, and `when`."""
    at = f"space.{name}"
    if not isinstance(body, Mapping):
        raise ConfigError(at, f"{name} is {show(body)}, expected a distribution such as {{choice: [...]}}")
    kinds = [key for key in body if key in KINDS]
    unknown = [key for key in body if key not in KINDS and key != "when"]
    if unknown:
        hint = nearest(unknown[0], [*KINDS, "when"])
        raise ConfigError(
            f"{at}.{unknown[0]}", f"{name}: '{unknown[0]}' is not one of {', '.join(KINDS)}, when{hint}"
        )
    if len(kinds) != 1:
        given = f"has {' and '.join(kinds)}" if kinds else "has no distribution"
        raise ConfigError(at, f"{name} {given}, expected exactly one of {', '.join(KINDS)}")
    try:
        return validate(KINDS[kinds[0]], body)
    except ConfigError as error:
        inside = f"{at}.{error.path}" if error.path else at
        raise ConfigError(inside, f"{name}: {error}") from None


def probe(space: Space) -> Iterator[dict[str, Any]]:
    """Draws that stand for all: every combination of finite values and range ends, or a seeded sample of them."""
    total = 1
    for entry in space.entries.values():
        total *= len(entry.ends())
    if total <= EXHAUSTIVE:
        yield from space.combinations(lambda entry: entry.ends())
        return
    generator = random.Random(0)
    yield from (space.draw(lambda _, entry: generator.choice(entry.ends())) for _ in range(DRAWS))
    for name, entry in space.entries.items():
        for value in entry.ends():
            yield space.draw(
                lambda key, other, name=name, value=value: (  # type: ignore[misc]
                    value if key == name else generator.choice(other.ends())
                )
            )


def _check_values(name: str, entry: Distribution) -> None:
    at = f"space.{name}"
    options = entry.options if isinstance(entry, Choice) else None
    if options is None:
        try:
            leaf = find(name)
        except ConfigError as error:
            raise ConfigError(at, str(error)) from None
        pairs = [(at, leaf, value) for value in entry.ends()]
    else:
        if name in leaves() or "." in name:
            raise ConfigError(at, f"'{name}' names its options, so it needs a plain name that is no path")
        pairs = []
        for option, values in options.items():
            for path, value in values.items():
                try:
                    pairs.append((f"{at}.choice.{option}.{path}", find(path), value))
                except ConfigError as error:
                    raise ConfigError(f"{at}.choice.{option}.{path}", str(error)) from None
    for where, leaf, value in pairs:
        try:
            leaf.check(value)
        except ConfigError as error:
            raise ConfigError(where, f"space: {error}") from None


def _check_conditions(
    name: str, entry: Distribution, entries: Mapping[str, Distribution], held: Mapping[str, Any]
) -> None:
    for key, wanted in entry.when.items():
        at = f"space.{name}.when.{key}"
        if key in entries:
            parent = entries[key]
            known = parent.values()
            if known is None:
                raise ConfigError(
                    at, f"{name}: when names {key}, which is a range; a condition needs finite values"
                )
            for value in as_list(wanted):
                if not parent.accepts(value):
                    offered = ", ".join(word(one) for one in known[:12])
                    hint = nearest(word(value), [word(one) for one in known])
                    raise ConfigError(
                        at,
                        f"{name}: when {key} is {word(value)} can never hold, the space offers {offered}{hint}",
                    )
            continue
        owners = [n for n, e in entries.items() if key in _sets(e)]
        if owners:
            raise ConfigError(
                at, f"{name}: when names {key}, which '{owners[0]}' sets; use {owners[0]} in the condition"
            )
        try:
            find(key)
        except ConfigError:
            hint = nearest(key, [*entries, *leaves()])
            raise ConfigError(
                at, f"{name}: when names '{key}', which is neither in the space nor a path{hint}"
            ) from None
        if not any(same(held.get(key), value) for value in as_list(wanted)):
            actual = f"is {word(held[key])}" if key in held else "does not exist"
            asked = " or ".join(word(value) for value in as_list(wanted))
            raise ConfigError(
                at,
                f"{name}: when {key} is {asked} can never hold, the space does not vary it and it {actual}",
            )


def _check_reachable(name: str, space: Space) -> None:
    """Conditions that hold one by one may still exclude each other."""
    needed: list[str] = []
    waiting = [name]
    while waiting:
        for key in space.entries[waiting.pop()].when:
            if key in space.entries and key not in needed:
                needed.append(key)
                waiting.append(key)
    ancestors = [key for key in space.entries if key in needed]
    total = 1
    for key in ancestors:
        total *= len(space.entries[key].values() or [])
    if total > 100_000:
        return
    for values in itertools.product(*(space.entries[key].values() or [] for key in ancestors)):
        drawn: dict[str, Any] = {}
        for key, value in zip(ancestors, values, strict=True):
            if space.holds(key, drawn):
                drawn[key] = value
        if space.holds(name, drawn):
            return
    raise ConfigError(f"space.{name}.when", f"{name}: its conditions can never hold together")


def _check_composes(changes: Mapping[str, Any], base: Mapping[str, Any], space: Space) -> None:
    try:
        compose(base, changes)
        return
    except ConfigError as error:
        problem = error
    path = problem.path
    owner = next((n for n, e in space.entries.items() if path == n or path in _sets(e)), None)
    leaf = leaves().get(path)
    if leaf is not None and leaf.discriminator is not None and leaf.variants and path in changes:
        tag = changes.get(leaf.discriminator)
        held = _values_of(compose(base, {}).model_dump())
        drawn = tag if tag is not None else held.get(leaf.discriminator)
        if drawn not in leaf.variants:
            only = " or ".join(sorted(leaf.variants))
            when = ", ".join(sorted(leaf.variants))
            needed = when if len(leaf.variants) == 1 else f"[{when}]"
            raise ConfigError(
                f"space.{owner or path}",
                f"{path} exists only where {leaf.discriminator} is {only} and is also drawn where it is {drawn}; "
                f"add when: {{{leaf.discriminator}: {needed}}}",
            )
    if owner is None:
        owner = next(
            (n for n, e in space.entries.items() if n in str(problem) or _named(e, str(problem))), None
        )
    drawn_text = ", ".join(
        f"{key}: {word(value)}" for key, value in changes.items() if not isinstance(value, float)
    )
    raise ConfigError(
        f"space.{owner}" if owner else "space",
        f"the space can draw an impossible combination ({drawn_text}): {problem}",
    )


def _named(entry: Distribution, sentence: str) -> bool:
    return any(path in sentence for path in _sets(entry))


def _sets(entry: Distribution) -> set[str]:
    """Paths that a named choice sets."""
    options = entry.options if isinstance(entry, Choice) else None
    return {path for values in (options or {}).values() for path in values}


def _values_of(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            flat.update(_values_of(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat
