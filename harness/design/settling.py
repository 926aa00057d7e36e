"""What a change of a configuration takes with it, so that it is one that can be: as little as may be."""

from collections.abc import Callable

from harness.config.blocks.design import Changes
from harness.config.blocks.explain import ConfigError
from harness.config.blocks.paths import leaves
from harness.config.blocks.trial import ConfigurationBlock
from harness.mechanisms.catalogue import configured
from harness.mechanisms.mechanism import Mechanism

Compose = Callable[[Changes], ConfigurationBlock]
"""Changes around a base -> the configuration; raises ConfigError for one that cannot be."""


class KeptError(Exception):
    """Why a mechanism cannot be taken out, or put in, in words."""


def mechanisms_of(config: ConfigurationBlock) -> list[Mechanism]:
    """The mechanisms that a configuration has, ordered by id."""
    return configured(config.model_dump())


class Settling:
    """As few of the `further` changes (key of a mechanism -> changes) as `first` needs to be no refused configuration."""

    def __init__(self, compose: Compose, first: Changes, further: dict[str, Changes]) -> None:
        self.compose, self.first, self.further = compose, first, further
        self.present = {each.key for each in mechanisms_of(compose({}))}
        self.last = ""
        """The refusal that was left when most was changed."""

    def settled(self) -> Changes:
        """The changes; KeptError with the last refusal where none do."""
        taken = self._taken(())
        if taken is None:
            raise KeptError(self.last)
        for key in taken:
            fewer = tuple(each for each in taken if each != key)
            if not self._refusal(fewer):
                taken = fewer
        return self._laid(taken)

    def _taken(self, taken: tuple[str, ...]) -> tuple[str, ...] | None:
        """Keys, these first, with which nothing is refused: what a refusal names goes before others, and of several ways
        the one that changes the fewest mechanisms."""
        refusal = self._refusal(taken)
        if not refusal:
            return taken
        left = [key for key in self.further if key not in taken]
        ways = [key for key in left if self._refusal((*taken, key)) != refusal]
        named = [key for key in ways if any(path in refusal for path in self.further[key])]
        if not ways:
            self.last = refusal
        ends = [end for key in named[:1] or ways if (end := self._taken((*taken, key))) is not None]
        return min(ends, key=self._changed, default=None)

    def _changed(self, taken: tuple[str, ...]) -> int:
        after = {each.key for each in mechanisms_of(self.compose(self._laid(taken)))}
        return len(after ^ self.present)

    def _laid(self, taken: tuple[str, ...]) -> Changes:
        """All these changes at once, the first ones in force, without keys of variants of a block that they leave."""
        changes: Changes = {}
        for each in (*(self.further[key] for key in taken), self.first):
            changes |= each
        return {path: value for path, value in changes.items() if _there(path, changes)}

    def _refusal(self, taken: tuple[str, ...]) -> str:
        """Why there is no such configuration; empty where there is one."""
        try:
            self.compose(self._laid(taken))
        except ConfigError as error:
            return str(error)
        return ""


def _there(path: str, changes: Changes) -> bool:
    """Whether the variant of the path's block that the changes choose, if they choose one, has the path."""
    leaf = leaves()[path]
    chosen = changes.get(leaf.discriminator) if leaf.discriminator else None
    return chosen is None or path == leaf.discriminator or not leaf.variants or chosen in leaf.variants
