"""What of a finite space a run does not have yet."""

from collections.abc import Collection, Iterator

from harness.config.blocks.explain import ConfigError
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.sweep.sweep import Sweep


def finite(sweep: Sweep) -> bool:
    """Whether the sweep's space has an end: no entry of it is a continuous range."""
    return all(entry.values() is not None for entry in sweep.space.entries.values())


def unplanned(
    sweep: Sweep, planned: Collection[str], *, gpu: bool
) -> Iterator[tuple[ConfigurationBlock, dict[str, object]]] | None:
    """Every (resolved configuration, changes) of the sweep's space whose id is not in `planned`, each once, in the
    order of the YAML and made one by one; None for a space with a continuous range, which has no end."""
    return _walk(sweep, set(planned), gpu) if finite(sweep) else None


def _walk(sweep: Sweep, known: set[str], gpu: bool) -> Iterator[tuple[ConfigurationBlock, dict[str, object]]]:
    for changes in sweep.space.combinations(lambda entry: entry.values() or ()):
        try:
            config = sweep.resolved(changes, gpu=gpu)
        except ConfigError:
            continue
        if config.id not in known:
            known.add(config.id)
            yield config, changes
