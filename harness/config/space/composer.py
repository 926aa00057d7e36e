"""The configurations around one base, each composed and resolved once."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from harness.config.blocks.explain import ConfigError
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import compose
from harness.config.space.space import changes_key

MOST = 4096
"""Configurations that are kept, the latest ones: about 20 KB each."""


class Composer:
    """Composes changes (dotted path -> value) over `base`, a sparse preset; who asks for the same changes again gets the
    same configuration, or the same refusal."""

    def __init__(self, base: Mapping[str, Any]) -> None:
        self.base = dict(base)
        self._kept: OrderedDict[tuple[str, str], ConfigurationBlock | ConfigError] = OrderedDict()

    def __call__(self, changes: Mapping[str, Any]) -> ConfigurationBlock:
        """The configuration as composed; raises as `compose`."""
        return self._once(("", changes_key(changes)), lambda: compose(self.base, changes))

    def resolved(self, changes: Mapping[str, Any], *, gpu: bool) -> ConfigurationBlock:
        """The configuration with everything decided; `gpu` decides model.size: auto. Raises as `compose`."""
        return self._once(
            ("gpu" if gpu else "cpu", changes_key(changes)), lambda: self(changes).resolved(gpu=gpu)
        )

    def _once(self, key: tuple[str, str], make: Callable[[], ConfigurationBlock]) -> ConfigurationBlock:
        if key in self._kept:
            self._kept.move_to_end(key)
        else:
            try:
                self._kept[key] = make()
            except ConfigError as error:
                self._kept[key] = error
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
        outcome = self._kept[key]
        if isinstance(outcome, ConfigError):
            raise ConfigError(outcome.path, str(outcome))
        return outcome
