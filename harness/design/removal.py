"""A configuration without one of its mechanisms, and what goes with it; read from the catalogue, by no list."""

from collections.abc import Iterator
from dataclasses import dataclass

from harness.config.blocks.design import Changes
from harness.config.blocks.trial import ConfigurationBlock
from harness.design.settling import Compose, KeptError, Settling, mechanisms_of
from harness.mechanisms.mechanism import Mechanism


@dataclass(frozen=True)
class Switched:
    """A configuration that differs from the base by one `mechanism`, taken out or put in: its `changes`, the mechanisms
    that go or come `along`, since without them there is no such configuration, and those that stand, or stood, in its
    place (`instead`)."""

    mechanism: Mechanism
    changes: Changes
    config: ConfigurationBlock
    along: tuple[str, ...]
    instead: tuple[str, ...]


def removals(compose: Compose) -> Iterator[Switched | tuple[Mechanism, str]]:
    """For each mechanism of the base: the configuration without it, or (mechanism, why it stays)."""
    for mechanism in mechanisms_of(compose({})):
        try:
            yield removal(compose, mechanism)
        except KeptError as reason:
            yield mechanism, str(reason)


def removal(compose: Compose, mechanism: Mechanism) -> Switched:
    """The base without the mechanism. Where that is refused, other mechanisms of the base go too, each only where it has
    to.

    Raises
    ------
    KeptError
        where no configuration around the base is without it.
    """
    if not mechanism.without:
        raise KeptError(mechanism.kept)
    present = mechanisms_of(compose({}))
    others = {each.key: dict(each.without) for each in present if each.without and each != mechanism}
    changes = Settling(compose, dict(mechanism.without), others).settled()
    config = compose(changes)
    after = mechanisms_of(config)
    if mechanism in after:
        raise KeptError("its settings leave it as it is")
    gone = tuple(each.key for each in present if each not in after and each != mechanism)
    return Switched(mechanism, changes, config, gone, tuple(e.key for e in after if e not in present))
