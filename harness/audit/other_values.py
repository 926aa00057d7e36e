"""The same mechanisms at other numbers: what is 1 or 0 by default hides how it is used."""

from typing import Any

from harness.audit.keys import enabled
from harness.audit.settings import value_at
from harness.config.blocks.explain import ConfigError
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import compose

LEFT = ("model.", "optimiser.", "environment.width", "environment.hidden")
"""Sizes of what is built, and steps, which an example sets itself."""
CHOSEN = {
    "loss.ranking.max_pairs": 12,
    "loss.competition.warmup": 1,
    "loss.competition.margin": 1e-6,
    "episode.pseudo_unseen": 0.5,
    "loss.prototypes.radius": 0.01,
}
"""Values at which a branch is taken that defaults leave, at an example's sizes."""


def at_other_values(config: ConfigurationBlock) -> ConfigurationBlock:
    """The configuration with every number of an enabled block at another value near it, or at the one `CHOSEN`, as far as
    they go together."""
    made = config
    for path, leaf in enabled(config):
        if path.startswith(LEFT) or not _number(value_at(config, path)):
            continue
        value = CHOSEN.get(path, _near(value_at(config, path)))
        try:
            leaf.check(value)
            made = compose(made.canonical(), {path: value})
        except ConfigError:
            continue  # there is no such value, or only with another one of a key beside it
    return made.resolved(gpu=False)


def _near(value: float) -> float:
    """Inside 0 to 1 where the value is."""
    return value + 1 if isinstance(value, int) else 0.7 * value + 0.05


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
