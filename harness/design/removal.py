"""A configuration without one of its mechanisms, and what goes with it; read from the catalogue, by no list."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from harness.config.blocks.design import Changes
from harness.config.blocks.explain import ConfigError
from harness.config.blocks.paths import leaves
from harness.config.blocks.trial import ConfigurationBlock
from harness.mechanisms.catalogue import configured
from harness.mechanisms.mechanism import Mechanism

Compose = Callable[[Changes], ConfigurationBlock]
"""Changes around a base -> the configuration; raises ConfigError for one that cannot be."""


class KeptError(Exception):
    """Why a mechanism cannot be taken out, in words."""


@dataclass(frozen=True)
class Removal:
    """A configuration without `mechanism`: its `changes`, what goes `along` because nothing is left for it to act on or
    with, and what stands there `instead`."""

    mechanism: Mechanism
    changes: Changes
    config: ConfigurationBlock
    along: tuple[Mechanism, ...]
    instead: tuple[Mechanism, ...]

    def sentence(self) -> str:
        """`graph: takes its map with it`."""
        return taken_along(self.mechanism.key, self.along, self.instead)


def taken_along(key: str, along: Iterable[Mechanism], instead: Iterable[Mechanism] = ()) -> str:
    """What goes with a mechanism and what stands there instead, in words; empty where nothing does."""
    parts = []
    if names := ", ".join(each.key for each in along):
        parts.append(f"takes {names} with it")
    if names := ", ".join(each.key for each in instead):
        parts.append(f"{names} in its place")
    return f"{key}: {'; '.join(parts)}" if parts else ""


def mechanisms_of(config: ConfigurationBlock) -> list[Mechanism]:
    """The mechanisms that a configuration has, ordered by id."""
    return configured(config.model_dump())


def removals(compose: Compose) -> Iterator[Removal | tuple[Mechanism, str]]:
    """For each mechanism of the base: its removal, or (mechanism, why it stays)."""
    for mechanism in mechanisms_of(compose({})):
        try:
            yield removal(compose, mechanism)
        except KeptError as reason:
            yield mechanism, str(reason)


def removal(compose: Compose, mechanism: Mechanism, start: Changes | None = None) -> Removal:
    """The base (with the changes of `start`) without the mechanism.

    Where the configuration is refused without it, other mechanisms go too, each only where it has to: those that the
    refusal names before others, and as few as may be.

    Raises
    ------
    KeptError
        where no configuration of the base is without it.
    """
    if not mechanism.without:
        raise KeptError(mechanism.kept)
    start = start or {}
    base = compose(start)
    present = mechanisms_of(base)
    others = {each.key: dict(each.without) for each in present if each.without and each != mechanism}
    changes = _Search(compose, {**start, **dict(mechanism.without)}, others).settled()
    config = compose(changes)
    after = mechanisms_of(config)
    if mechanism in after:
        raise KeptError("its settings leave it as it is")
    gone = tuple(each for each in present if each not in after and each != mechanism)
    return Removal(mechanism, changes, config, gone, tuple(each for each in after if each not in present))


class _Search:
    """As few of the `further` changes (key of a mechanism -> changes) as `first` needs to be no refused configuration."""

    def __init__(self, compose: Compose, first: Changes, further: dict[str, Changes]) -> None:
        self.compose, self.first, self.further = compose, first, further
        self.last = ""
        """The refusal that was left when most had gone."""

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
        """Keys, these first, with which nothing is refused, as few as may be: those that a refusal names before others."""
        refusal = self._refusal(taken)
        if not refusal:
            return taken
        left = [key for key in self.further if key not in taken]
        ways = [key for key in left if self._refusal((*taken, key)) != refusal]
        named = [key for key in ways if any(path in refusal for path in self.further[key])]
        if not ways:
            self.last = refusal
        ends = [end for key in named[:1] or ways if (end := self._taken((*taken, key))) is not None]
        return max(ends, key=lambda end: len(mechanisms_of(self.compose(self._laid(end)))), default=None)

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
