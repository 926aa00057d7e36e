"""The configurations around one base, each composed and resolved once."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from harness.config.blocks.block import sharing
from harness.config.blocks.explain import ConfigError
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import compose
from harness.config.space.space import changes_key

MOST = 4096
"""Configurations that are kept, the latest ones: a few KB each, since they share what they have in common."""


class Composer:
    """Composes changes (dotted path -> value) over `base`, a sparse preset; who asks for the same changes again gets the
    same configuration, or the same refusal."""

    def __init__(self, base: Mapping[str, Any]) -> None:
        self.base = dict(base)
        self._kept: OrderedDict[tuple[str, str], ConfigurationBlock | ConfigError] = OrderedDict()
        self._first: dict[str, ConfigurationBlock] = {}

    def __call__(self, changes: Mapping[str, Any]) -> ConfigurationBlock:
        """The configuration as composed; raises as `compose`."""
        return self._once(("", changes_key(changes)), lambda: compose(self.base, changes))

    def resolved(self, changes: Mapping[str, Any], *, gpu: bool) -> ConfigurationBlock:
        """The configuration with everything decided; `gpu` decides model.size: auto. Raises as `compose`."""
        key = changes_key(changes)
        # What nobody asked for as it is composed is not kept as that.
        composed = self if ("", key) in self._kept else partial(compose, self.base)
        return self._once(("gpu" if gpu else "cpu", key), lambda: composed(changes).resolved(gpu=gpu))

    def _once(self, key: tuple[str, str], make: Callable[[], ConfigurationBlock]) -> ConfigurationBlock:
        if key in self._kept:
            self._kept.move_to_end(key)
        else:
            try:
                made = make()
                self._kept[key] = sharing(made, self._first.setdefault(key[0], made))
            except ConfigError as error:
                self._kept[key] = error
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
        outcome = self._kept[key]
        if isinstance(outcome, ConfigError):
            raise ConfigError(outcome.path, str(outcome))
        return outcome
