"""Known configurations that a search runs before its sampler proposes any."""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.errors import nearest
from harness.config.blocks.design import Changes
from harness.config.blocks.explain import ConfigError, show
from harness.config.blocks.paths import flatten
from harness.config.blocks.sweep import SweepBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.distributions import MISSING, ChoiceBlock, same
from harness.config.space.space import Space, changes_key


def enqueued(config: SweepBlock, trial: ConfigurationBlock, space: Space) -> list[Changes]:
    """The changes of each configuration of `enqueue`: its values laid over the base's.

    Raises
    ------
    ConfigError
        for a name that the space has not, values that the space cannot draw together, and a configuration that stands
        there twice.
    """
    base = flatten(trial.model_dump())
    known = {path for name, entry in space.entries.items() for path in entry.paths(name)} | {*space.entries}
    asked: list[Changes] = []
    first: dict[Any, int] = {}
    for place, values in enumerate(config.enqueue):
        where = f"enqueue.{place}"
        settings: dict[str, Any] = dict(base)
        for name, value in values.items():
            if name not in known:
                raise ConfigError(
                    f"{where}.{name}", f"enqueue: '{name}' is not varied by space{nearest(name, known)}"
                )
            settings |= _settings(space, name, value, f"{where}.{name}")
        drawn = space.find(settings)
        if drawn is None:
            raise _not_drawn(where, values, settings, space)
        changes = space.changes(drawn)
        for name, value in values.items():
            for path, wanted in _settings(space, name, value, f"{where}.{name}").items():
                if not same({**base, **changes}.get(path), wanted):
                    raise ConfigError(f"{where}.{name}", f"enqueue: {_without(name, path, wanted, space)}")
        earlier = first.setdefault(changes_key(changes), place)
        if earlier != place:
            raise ConfigError(
                where,
                f"enqueue: entries {earlier + 1} and {place + 1} are one configuration, which runs once: leave one out",
            )
        asked.append(changes)
    return asked


def refuse_more(first: Sequence[Changes], trials: int) -> None:
    """ConfigError where more configurations are to run first than are to run."""
    if len(first) > trials:
        raise ConfigError(
            "enqueue",
            f"enqueue has {len(first)} configurations to run first, and trials is {trials}: expected no more",
        )


def _not_drawn(where: str, values: Changes, settings: Mapping[str, Any], space: Space) -> ConfigError:
    """Which entry of the space, of those that exist beside what is asked for, has no such value; the named first."""
    for name, value in values.items():
        entry = space.entries.get(name)
        if entry is not None and entry.drawn(name, settings) is MISSING:
            return ConfigError(
                f"{where}.{name}",
                f"enqueue: {name} is {show(value)}, which the space cannot draw ({entry.text()})",
            )
    drawn: dict[str, Any] = {}
    for name, entry in space.entries.items():
        if space.holds(name, drawn):
            drawn[name] = entry.drawn(name, settings)
            if drawn[name] is MISSING:
                held = f"the base's is {show(settings[name])}" if name in settings else "the base has none"
                return ConfigError(
                    where,
                    f"enqueue: {name} is not named, and {held}, which the space cannot draw ({entry.text()})",
                )
    raise AssertionError("a draw that is none lacks the value of some entry")


def _without(name: str, path: str, wanted: Any, space: Space) -> str:
    """Why what is asked for is in no draw beside the rest."""
    owners = [key for key, entry in space.entries.items() if name == key or path in entry.paths(key)]
    when = " and ".join(row["when"] for row in space.describe() if row["path"] in owners and row["when"])
    return f"{name} is {show(wanted)}, " + (
        f"and it exists only when {when}" if when else f"which no option of {owners[0]} sets beside the rest"
    )


def _settings(space: Space, name: str, value: Any, where: str) -> Mapping[str, Any]:
    """What a value of an entry sets; a named option sets what is written under it."""
    entry = space.entries.get(name)
    options = entry.options if isinstance(entry, ChoiceBlock) else None
    if options is None:
        return {name: value}
    if not isinstance(value, str) or value not in options:
        hint = nearest(str(value), options)
        raise ConfigError(
            where, f"enqueue: {name} is {show(value)}, expected one of {', '.join(options)}{hint}"
        )
    return options[value]
