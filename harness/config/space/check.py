"""Turns the `space:` block into a Space; refuses what could not be drawn or composed before anything runs."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

from analysis.errors import nearest
from harness.config.blocks.acting import unread
from harness.config.blocks.explain import ConfigError, show, validate
from harness.config.blocks.paths import find, flatten, leaves
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.composer import Composer
from harness.config.space.conditions import check_conditions, check_reachable
from harness.config.space.distributions import KINDS, ChoiceBlock, DistributionBlock, word
from harness.config.space.space import Space

EXHAUSTIVE = 400
"""Spaces with at most this many combinations of finite values and range ends are composed whole."""
DRAWS = 300
"""Random draws composed for larger spaces (and one per value of every entry besides)."""


def build_space(
    raw: Mapping[str, Mapping[str, Any]], composer: Composer, settings: Mapping[str, Any] | None = None
) -> Space:
    """The space of a sweep around the base of `composer`.

    `settings` are the dotted paths that the sweep sets for every configuration; each must act in some draw.

    Raises
    ------
    ConfigError
        whose path starts with `space.` or `set.`, for an unknown path, kind or condition, a value outside the
        path's type or range, a condition that can never hold, a combination that is not a valid configuration,
        and a path that is set where nothing reads it.
    """
    entries = {name: parse_entry(name, body) for name, body in raw.items()}
    for name, entry in entries.items():
        _check_values(name, entry)
    held = flatten(composer({}).model_dump())
    for name, entry in entries.items():
        check_conditions(name, entry, entries, held)
    fixed = {key: held.get(key) for entry in entries.values() for key in entry.when if key not in entries}
    try:
        space = Space(entries, fixed)
    except ValueError as error:
        raise ConfigError("space", str(error)) from None
    for name in space.entries:
        check_reachable(name, space)
    idle = dict.fromkeys(settings or {}, "")
    for changes in probe(space):
        config = _compose(changes, composer, space)
        _check_read(changes, config, space)
        still = unread(config, idle)
        idle = {path: still[path] for path in idle if path in still}
    for path, needs in idle.items():
        raise ConfigError(f"set.{path}", f"{path} is set and nothing reads it; it acts only with {needs}")
    return space


def parse_entry(name: str, body: Any) -> DistributionBlock:
    """One entry: exactly one of the kinds, and `when`."""
    at = f"space.{name}"
    if not isinstance(body, Mapping):
        raise ConfigError(at, f"{name} is {show(body)}, expected a distribution such as {{choice: [...]}}")
    kinds = [key for key in body if key in KINDS]
    unknown = [key for key in body if key not in KINDS and key != "when"]
    if unknown:
        known = [*KINDS, "when"]
        hint = nearest(unknown[0], known)
        raise ConfigError(
            f"{at}.{unknown[0]}", f"{name}: '{unknown[0]}' is not one of {', '.join(known)}{hint}"
        )
    if len(kinds) != 1:
        problem = f"has {' and '.join(kinds)}" if kinds else "has no distribution"
        raise ConfigError(at, f"{name} {problem}, expected exactly one of {', '.join(KINDS)}")
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


def _check_values(name: str, entry: DistributionBlock) -> None:
    at = f"space.{name}"
    options = entry.options if isinstance(entry, ChoiceBlock) else None
    if options is None:
        settings = [(at, name, value) for value in entry.ends()]
    elif name in leaves() or "." in name:
        raise ConfigError(at, f"'{name}' has named options, so it needs a plain name that is no path")
    else:
        settings = [
            (f"{at}.choice.{option}.{path}", path, value)
            for option, values in options.items()
            for path, value in values.items()
        ]
    for where, path, value in settings:
        try:
            find(path).check(value)
        except ConfigError as error:
            raise ConfigError(where, str(error)) from None


def _compose(changes: Mapping[str, Any], composer: Composer, space: Space) -> ConfigurationBlock:
    try:
        return composer(changes)
    except ConfigError as error:
        problem = error
    owner = _owner(problem.path, space)
    leaf = leaves().get(problem.path)
    if leaf is not None and leaf.discriminator is not None and leaf.variants and leaf.path in changes:
        held = flatten(composer({}).model_dump())
        drawn = changes.get(leaf.discriminator, held.get(leaf.discriminator))
        if drawn not in leaf.variants:
            tags = sorted(leaf.variants)
            chosen = space.entries.get(leaf.discriminator)
            here = [tag for tag in tags if chosen is not None and tag in chosen.ends()] or tags
            needed = here[0] if len(here) == 1 else f"[{', '.join(here)}]"
            raise ConfigError(
                f"space.{owner or leaf.path}",
                f"{leaf.path} exists only where {leaf.discriminator} is {' or '.join(tags)} and is also drawn where "
                f"it is {drawn}; add when: {{{leaf.discriminator}: {needed}}}",
            )
    if owner is None:
        mentioned = {
            str(problem).find(path): name
            for name, entry in space.entries.items()
            for path in entry.paths(name)
            if path in str(problem)
        }
        owner = mentioned[min(mentioned)] if mentioned else None
    drawn_text = ", ".join(f"{path}: {word(value)}" for path, value in changes.items())
    raise ConfigError(
        f"space.{owner}" if owner else "space",
        f"the space can draw an impossible combination: {problem} ({drawn_text})",
    )


def _check_read(changes: Mapping[str, Any], config: ConfigurationBlock, space: Space) -> None:
    for path, needs in unread(config, changes).items():
        owner = _owner(path, space)
        if owner == path:
            raise ConfigError(
                f"space.{owner}",
                f"{path} is also drawn where nothing reads it; it acts only with {needs}, so give it a when",
            )


def _owner(path: str, space: Space) -> str | None:
    return next((name for name, entry in space.entries.items() if path in entry.paths(name)), None)
