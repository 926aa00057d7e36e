"""Known configurations that a search runs before its sampler proposes any."""

from collections.abc import Mapping
from typing import Any

from analysis.errors import nearest
from harness.config.blocks.design import Changes
from harness.config.blocks.explain import ConfigError, show
from harness.config.blocks.paths import flatten
from harness.config.blocks.sweep import SweepBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.distributions import MISSING, ChoiceBlock
from harness.config.space.space import Space, changes_key


def enqueued(config: SweepBlock, trial: ConfigurationBlock, space: Space) -> list[Changes]:
    """The changes of each configuration of `enqueue`: its values laid over the base's.

    Raises
    ------
    ConfigError
        for a name that the space has not, and values that the space cannot draw together.
    """
    base = flatten(trial.model_dump())
    known = {path for name, entry in space.entries.items() for path in entry.paths(name)} | {*space.entries}
    asked = []
    for place, values in enumerate(config.enqueue):
        where = f"enqueue.{place}"
        settings: dict[str, Any] = dict(base)
        for name, value in values.items():
            if name not in known:
                raise ConfigError(
                    f"{where}.{name}", f"enqueue: '{name}' is not varied by space{nearest(name, known)}"
                )
            settings |= _settings(space, name, value, f"{where}.{name}")
        drawn, lacking = _draw(space, settings)
        if lacking:
            said = ", ".join(f"{name} {show(settings.get(name))}" for name in lacking)
            raise ConfigError(
                where, f"enqueue: the space cannot draw {said} (what is not named here is the base's)"
            )
        changes = space.changes(drawn)
        for name in values.keys() - drawn.keys() - changes.keys():
            when = next((row["when"] for row in space.describe() if row["path"] == name), "")
            raise ConfigError(
                f"{where}.{name}",
                f"enqueue: {name} is {show(values[name])}, and nothing draws it there"
                + (f": it exists only when {when}" if when else ""),
            )
        asked.append(changes)
    distinct = len({changes_key(changes) for changes in asked})
    if config.trials is not None and distinct > config.trials:
        raise ConfigError(
            "enqueue",
            f"enqueue: it has {distinct} configurations, and trials is {config.trials}: expected as many or more",
        )
    return asked


def _settings(space: Space, name: str, value: Any, where: str) -> Mapping[str, Any]:
    """What a value of an entry sets; a named option sets what is written under it."""
    entry = space.entries.get(name)
    options = entry.options if isinstance(entry, ChoiceBlock) else None
    if options is None:
        return {name: value}
    if value not in options:
        hint = nearest(str(value), options)
        raise ConfigError(
            where, f"enqueue: {name} is {show(value)}, expected one of {', '.join(options)}{hint}"
        )
    return options[value]


def _draw(space: Space, settings: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The draw that gives the values of `settings`, and the entries that no draw gives the value of; what exists only
    under another value of one of these is in neither."""
    drawn: dict[str, Any] = {}
    lacking = []
    for name, entry in space.entries.items():
        if space.holds(name, drawn):
            value = entry.drawn(name, settings)
            if value is MISSING:
                lacking.append(name)
            else:
                drawn[name] = value
    return drawn, lacking
