"""Known configurations that a search runs before its sampler proposes any."""

from collections.abc import Mapping
from typing import Any

from analysis.errors import nearest
from harness.config.blocks.design import Changes
from harness.config.blocks.explain import ConfigError, show
from harness.config.blocks.paths import flatten
from harness.config.blocks.sweep import SweepBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.distributions import ChoiceBlock
from harness.config.space.space import Space


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
        drawn = space.find(settings)
        if drawn is None:
            lacking = [name for name in space.entries if not _drawable(space, name, settings)]
            said = (
                ", ".join(f"{name} {show(settings.get(name))}" for name in lacking) or "these values together"
            )
            raise ConfigError(
                where, f"enqueue: the space cannot draw {said} (what is not named here is the base's)"
            )
        asked.append(space.changes(drawn))
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


def _drawable(space: Space, name: str, settings: Mapping[str, Any]) -> bool:
    alone = Space({name: space.entries[name].model_copy(update={"when": {}})}, {})
    return alone.find(settings) is not None
