"""A configuration with one mechanism more, as another configuration has it, and what it needs; read from the catalogue."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from harness.config.blocks.acting import unread
from harness.config.blocks.design import Changes
from harness.config.blocks.paths import flatten, leaves
from harness.config.blocks.trial import ConfigurationBlock
from harness.design.removal import Switched
from harness.design.settling import Compose, KeptError, Settling, mechanisms_of
from harness.mechanisms.catalogue import catalogue
from harness.mechanisms.mechanism import Mechanism


def additions(compose: Compose, other: ConfigurationBlock) -> Iterator[Switched | tuple[Mechanism, str]]:
    """For each mechanism that `other` has and the base has not: the base with it, or (mechanism, why it cannot be)."""
    for mechanism in lacking(compose({}), other):
        try:
            yield addition(compose, other, mechanism)
        except KeptError as reason:
            yield mechanism, str(reason)


def lacking(base: ConfigurationBlock, other: ConfigurationBlock) -> list[Mechanism]:
    """The mechanisms of `other` that `base` has not."""
    present = mechanisms_of(base)
    return [each for each in mechanisms_of(other) if each not in present]


def addition(compose: Compose, other: ConfigurationBlock, mechanism: Mechanism) -> Switched:
    """The base with the mechanism, its weight and its other settings those of `other`. Where that is refused, further
    mechanisms of `other` come too, each only where it has to.

    Raises
    ------
    KeptError
        where no configuration between the two has it.
    """
    base, settings = compose({}), flatten(other.model_dump())
    present = mechanisms_of(base)
    chosen = {each.key: _choosing(each, settings) for each in lacking(base, other)}
    first = chosen.pop(mechanism.key)
    changes = with_settings(compose, Settling(compose, first, chosen).settled(), settings)
    config = compose(changes)
    after = mechanisms_of(config)
    if mechanism not in after:
        raise KeptError("what it is chosen by does not switch it on here")
    come = tuple(each.key for each in after if each not in present and each != mechanism)
    return Switched(mechanism, changes, config, come, tuple(e.key for e in present if e not in after))


def with_settings(compose: Compose, changes: Changes, settings: Mapping[str, Any]) -> Changes:
    """`changes` and, from the flat `settings` of another configuration, each setting that is read now and was not in the
    base: the parameters of what was put in."""
    base, flat = compose({}), flatten(compose({}).model_dump())
    while True:
        config = compose(changes)
        there = flatten(config.model_dump())
        awake = [
            path
            for path, value in settings.items()
            if path in there and there[path] != value and path not in choosing() and path in leaves()
            if (path not in flat or unread(base, [path])) and not unread(config, [path])
        ]
        if not awake:
            return changes
        changes = changes | {path: settings[path] for path in awake}


def apart(base: ConfigurationBlock, other: ConfigurationBlock) -> dict[str, tuple[Any, Any]]:
    """Settings that both read, that differ, and that choose no mechanism: path -> (of base, of other)."""
    mine, theirs = flatten(base.model_dump()), flatten(other.model_dump())
    return {
        path: (mine[path], theirs[path])
        for path in mine
        if path in theirs and mine[path] != theirs[path] and path not in choosing() and path in leaves()
        if not unread(base, [path]) and not unread(other, [path])
    }


@cache
def choosing() -> frozenset[str]:
    """Paths by which some mechanism is chosen."""
    return frozenset(setting.path for each in catalogue() for setting in each.when)


def _choosing(mechanism: Mechanism, settings: Mapping[str, Any]) -> Changes:
    return {setting.path: settings[setting.path] for setting in mechanism.when}
