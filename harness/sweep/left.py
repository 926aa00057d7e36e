"""What of a finite space a run does not have yet."""

from collections.abc import Collection, Iterator

from harness.config.explain import ConfigError
from harness.config.sweep import Sweep
from harness.config.trial import TrialConfig
from harness.space.distributions import Distribution


def unplanned(
    sweep: Sweep, planned: Collection[str], *, gpu: bool
) -> Iterator[tuple[TrialConfig, dict[str, object]]] | None:
    """Every (resolved configuration, changes) of the sweep's space whose id is not in `planned`, each once, in the
    order of the YAML and made one by one; None for a space with a continuous range, which has no end."""
    if any(entry.values() is None for entry in sweep.space.entries.values()):
        return None
    return _walk(sweep, set(planned), gpu)


def _walk(sweep: Sweep, known: set[str], gpu: bool) -> Iterator[tuple[TrialConfig, dict[str, object]]]:
    for changes in sweep.space.combinations(_values):
        try:
            config = sweep.compose(changes).resolved(gpu=gpu)
        except ConfigError:
            continue
        if config.id not in known:
            known.add(config.id)
            yield config, changes


def _values(entry: Distribution) -> list[object]:
    return entry.values() or []
