"""What the configurations of a sweep stand on, as its design sees it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.errors import UserError
from harness.config.blocks.design import Changes
from harness.config.blocks.explain import ConfigError
from harness.config.blocks.sweep import SweepBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import compose, load_preset, merge
from harness.config.space.composer import Composer
from harness.config.space.space import Space


@dataclass(frozen=True)
class SweepBasis:
    """A sweep's design block, its space and what surrounds its base; `settings` is what trial and set lay over a preset,
    `folder` where the YAML lies, beside which presets are looked for, `enqueued` the draws of the space that a search
    begins with."""

    config: SweepBlock
    space: Space
    composer: Composer
    settings: Mapping[str, Any]
    folder: Path
    enqueued: Sequence[Changes] = ()

    @property
    def options(self) -> Any:
        """The design's block."""
        return self.config.design

    @property
    def seeds(self) -> list[int]:
        """The seeds of every configuration."""
        return self.config.seeds

    @property
    def larger_is_better(self) -> bool:
        """Which way the objective is better."""
        return self.config.direction == "maximize"

    @property
    def base(self) -> str:
        """Name of the base preset."""
        return self.config.base

    def compose(self, changes: Changes) -> ConfigurationBlock:
        """The base with changes; ConfigError for a configuration that cannot be."""
        return self.composer(changes)

    def preset(self, name: str) -> ConfigurationBlock:
        """Another preset under the same trial and set.

        Raises
        ------
        ConfigError
            at `design`, for a preset that is none, and one that the settings do not fit.
        """
        try:
            return compose(merge(load_preset(name, beside=self.folder), self.settings), {})
        except ConfigError as error:
            raise ConfigError("design", f"preset {name} under this trial and set: {error}") from None
        except UserError as error:
            raise ConfigError("design", str(error)) from None
