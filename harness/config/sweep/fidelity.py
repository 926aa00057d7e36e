"""What `fidelity` of a sweep's YAML makes of its configurations, and where it cannot be had."""

from collections.abc import Iterator, Mapping
from typing import Any

from harness.config.blocks.explain import ConfigError
from harness.config.blocks.paths import flatten
from harness.config.blocks.sweep import ScreenBlock, SweepBlock
from harness.config.space.check import parse_entry
from harness.config.space.composer import Composer
from harness.config.space.distributions import ChoiceBlock
from harness.config.space.frozen import FrozenComposer, frozen_keys, refuse_frozen
from harness.config.space.space import as_list

FROZEN = "frozen"
"""The key of a configuration that `fidelity` sets."""


def composer_of(config: SweepBlock, base: Mapping[str, Any]) -> Composer:
    """What composes the configurations around a base (a sparse mapping)."""
    return FrozenComposer(base) if config.fidelity == "cached" else Composer(base)


def check_fidelity(config: SweepBlock, base: Mapping[str, Any], *, holds: bool = False) -> SweepBlock:
    """The sweep with what its fidelity decides: cached configurations have no phase 1 worth sharing, and in a cached space
    that `holds` what reaches the sequence side alone is not varied.

    Raises
    ------
    ConfigError
        for a design or a space that screens nothing, a number of configurations that is given twice, keys of a cached
        space that reach the sequence side alone, and the key that fidelity sets where a person sets it.
    """
    for at in (
        f"space.{FROZEN}" if FROZEN in config.space else "",
        f"set.{FROZEN}" if flatten(base).get(FROZEN) else "",
    ):
        if at:
            raise ConfigError(
                at, "frozen is set by fidelity: cached of the sweep, and by nobody else; leave it out"
            )
    if config.fidelity == "full":
        return config
    if config.trial.replicates == "stacked":
        raise ConfigError(
            "trial.replicates",
            "trial.replicates: stacked stacks sequence sides that train, and fidelity freezes them: expected separate, or "
            "fidelity: full",
        )
    design = config.of_design
    if isinstance(config.fidelity, ScreenBlock):
        if config.design.kind != "search":
            raise ConfigError(
                "fidelity",
                "fidelity: {screen, promote} screens what a search proposes, and design is "
                f"{config.design.kind}: expected "
                "design: search",
            )
        if config.trials is not None:
            raise ConfigError(
                "trials",
                "trials is how many configurations a search proposes, which fidelity.screen says: leave it out",
            )
        if config.enqueue:
            raise ConfigError(
                "enqueue",
                "enqueue: a screen begins with what its sampler proposes; leave it out, or use fidelity: full",
            )
        for name, path in _of_named_choices(config):
            raise ConfigError(
                f"space.{name}",
                f"{name} sets {path} among others, which reaches the sequence side alone: a screen cannot hold "
                f"it; give {path} "
                "an entry of its own",
            )
        if config.space and not _without_held(config, flatten(base)):
            raise ConfigError(
                "fidelity",
                f"fidelity: nothing is left to screen, since all that the space varies ({', '.join(config.space)}) reaches "
                "the sequence side, which a screen holds at the base's value: expected fidelity: full, or a key that acts "
                "behind z_I in space",
            )
        return config
    if design.ablates or config.design.kind not in ("search", "grid"):
        raise ConfigError(
            "fidelity",
            f"fidelity: cached screens a space, and design: {config.design.kind} compares arms that differ in "
            "mechanisms, some of "
            "which the frozen sequence side would hide: expected design: search or grid",
        )
    if holds:
        config = config.model_copy(update={"space": _without_held(config, flatten(base))})
    for name, body in config.space.items():
        for path in parse_entry(name, body).paths(name):
            refuse_frozen(path, f"space.{name}")
    return config.model_copy(update={"trial": config.trial.model_copy(update={"share_prefix": False})})


def held_in_screen(config: SweepBlock) -> list[str]:
    """Entries of the space that a screen holds at the base's value: they reach the sequence side alone."""
    return [name for name in config.space if name in frozen_keys()]


def _without_held(config: SweepBlock, base: Mapping[str, Any]) -> dict[str, Any]:
    """The space without entries that are held, and without those that exist for other values of these alone."""
    space, gone = dict(config.space), held_in_screen(config)
    values = flatten(Composer(base)({}).model_dump())
    while gone:
        for name in gone:
            del space[name]
        gone = [
            name
            for name, body in space.items()
            if any(
                key not in space and values.get(key) not in as_list(wanted)
                for key, wanted in body.get("when", {}).items()
            )
        ]
    return space


def _of_named_choices(config: SweepBlock) -> Iterator[tuple[str, str]]:
    for name, body in config.space.items():
        entry = parse_entry(name, body)
        if isinstance(entry, ChoiceBlock) and entry.options is not None:
            yield from ((name, path) for path in entry.paths(name) if path in frozen_keys())
