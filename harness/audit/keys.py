"""Is every key of an enabled block read? Each is given another value, and something has to be different then."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from harness.audit.behind_sequence import reads_parameters, same_sequence
from harness.audit.fingerprint import Depth, Fingerprint, is_weight
from harness.audit.frozen_side import frozen_key
from harness.audit.keys_of_terms import read_by_terms
from harness.audit.probe import Probe
from harness.audit.settings import changed, value_at
from harness.config.blocks.acting import unread
from harness.config.blocks.explain import ConfigError
from harness.config.blocks.paths import Leaf, discriminators, leaves, options
from harness.config.blocks.trial import ConfigurationBlock
from harness.trial.step.trainer import Trainer
from models.losses.term import LossTerm

BLOCKS = ("model", "energy", "temperature", "environment", "loss", "decouple", "balance", "episode.pseudo_unseen",
          "support.labels", "optimiser.lr", "optimiser.weight_decay", "optimiser.clip")  # fmt: skip
"""What a trainer is built from; other blocks say which pairs it is given and how its scores are reported."""
ELSEWHERE = ("model.size", "model.enhancer_bp", "model.promoter_bp", "environment.prior.extrapolate")
"""Keys that are read where the data are opened, where sizes are filled in, or that a mechanism of their own judges."""
ENDLESS = 1e20
"""A limit from which on it lets everything through, and a larger or half as large one does so as well."""
Choice = Callable[[Iterable[str]], list[str]]
"""Which of the dotted paths are asked for."""
LATER = ("balance.epochs", "balance.momentum", "balance.warmup")
"""Keys that act over more steps than one; the schedule of weights is judged by its own mechanism."""


def unread_keys(
    probe: Probe, only: str = "", judged: Collection[str] = (), asked_of: Choice = sorted
) -> dict[str, str]:
    """Dotted paths (that start with `only`, were not `judged` by other twins, and are `asked_of`) that nothing reads, each
    with the values that were tried. Clones behind the sequence side are asked first, of several loss terms at once; before
    a key of another block than the sequence side's is accused, whole ones are.
    """
    perturbed = {
        path: leaf for path, leaf in enabled(probe.config) if path.startswith(only) and path not in judged
    }
    values = {path: others(perturbed[path], value_at(probe.config, path)) for path in asked_of(perturbed)}
    if not values:
        return {}
    asked: dict[tuple[str, Depth], Fingerprint] = {}

    def base(config: ConfigurationBlock, depth: Depth) -> Fingerprint:
        kind = config.balance.kind, depth
        if kind not in asked:
            asked[kind] = Fingerprint(probe, config, depth).kept()
        return asked[kind]

    def depths(config: ConfigurationBlock) -> tuple[Depth, ...]:
        little = reads_parameters(probe.plain) and base(config, "little").runs()
        return ("little", "behind", "whole") if little else ("behind", "whole")

    start = base(probe.summed, depths(probe.summed)[0])
    read = read_by_terms(start, {path: tries[:1] for path, tries in values.items()})
    idle = {}
    for path in (path for path in values if path not in read):
        config = probe.config if path.startswith("balance.") else probe.summed
        for depth in depths(config):
            tried = _untold(base(config, depth), path, values[path])
            if tried is None:
                break
        if tried and not waits(probe, path, tried):
            idle[path] = ", ".join(map(str, tried))
    return idle


def _untold(base: Fingerprint, path: str, values: list[Any]) -> dict[Any, Trainer] | None:
    """The trainers with the values, where none can be told from the base; None where one can, or cannot be asked. What is
    nearest to the key is asked first, of all values."""
    configs = {value: changed(base.config, {path: value}) for value in values}
    if base.depth != "whole" and not all(same_sequence(config, base.config) for config in configs.values()):
        return {}
    twins: dict[Any, Fingerprint] = {}
    for question in base.questions(path):
        for value, config in configs.items():
            if value not in twins:
                twins[value] = Fingerprint(base.probe, config, base.depth)
                if base.built_otherwise(twins[value]):
                    return None
            try:
                if question(twins[value]):
                    return None
            except (ValueError, TypeError, LookupError, RuntimeError):
                return None  # a twin that cannot run with the other value has read it
    return {value: twin.trainer for value, twin in twins.items()}


def waits(probe: Probe, path: str, twins: dict[Any, Trainer]) -> bool:
    """Whether the key of a loss term acts only in states that a few steps do not reach: the term says that it waits
    (`LossTerm.awake`, a competition that is still warming up), it carries the value in its attribute of the key's name,
    here and in every twin that was built with another `value`, and it cannot be called without that attribute.
    """
    key = path.rsplit(".", 1)[-1]
    clone = probe.behind()
    carried = {value_at(probe.config, path): clone, **twins}
    if not all(_carries(trainer, path, value) for value, trainer in carried.items()):
        return False
    step = clone.measure(probe.batch, warm=False).step
    term = next(term for term, _ in clone.weighted if path.split(".")[1] == term.key)
    del vars(term)[key]
    try:
        term(step, clone.states[term.key])
    except AttributeError as error:
        if f"'{key}'" not in str(error):
            raise
        return True
    return False


def _carries(trainer: Trainer, path: str, value: Any) -> bool:
    """Whether the loss term of `path` is built, is one that waits, and has `value` as its attribute of the key's name."""
    block, _, key = path.rpartition(".")
    waiting = [
        term
        for term, _ in trainer.weighted
        if block.endswith(f".{term.key}") and type(term).awake is not LossTerm.awake
    ]
    return any(key in vars(term) and vars(term)[key] == value for term in waiting)


def enabled(config: ConfigurationBlock) -> Iterator[tuple[str, Leaf]]:
    """Paths of enabled blocks: there in this variant, not waiting for another key, and no weight that is 0."""
    chosen = {f"{block}.{key}" for block, (key, _) in discriminators().items()}
    apart = {*ELSEWHERE, *LATER, *chosen}
    asked = {path: leaf for path, leaf in leaves().items() if path.startswith(BLOCKS) and path not in apart}
    waiting = unread(config, asked)
    for path, leaf in asked.items():
        if path in waiting or frozen_key(config, path):
            continue
        try:
            value = value_at(config, path)
        except AttributeError:
            continue
        off = value is None or (isinstance(value, int | float) and value == 0 and is_weight(path))
        if not off and not isinstance(value, list):
            yield path, leaf


def others(leaf: Leaf, value: Any) -> list[Any]:
    """Up to three valid values that are not `value`, the nearer ones first."""
    if isinstance(value, bool):
        return [not value]
    names = options(leaf)
    if names:
        return [name for name in names if name != value]
    # 1 before the half: a limit that lets everything through may do so at half of it as well.
    tries: list[Any] = [value * 2, 1, max(1, value // 2), value + 1] if isinstance(value, int) else []
    if isinstance(value, float):
        tries += [value * 1.5 + 0.1, 0.001, 0.0, value / 2] if value < ENDLESS else [0.001]
    valid = []
    for other in tries:
        try:
            leaf.check(other)
        except ConfigError:
            continue
        if other != value and other not in valid:
            valid.append(other)
    return valid[:3]
