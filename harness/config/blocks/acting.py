"""Which keys act only beside others: a key that is set and that nothing would read is a mistake."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness.config.blocks.paths import Leaf, flatten, leaves
from harness.config.blocks.read_where import POSITIVE, ReadWhere
from harness.config.blocks.trial import ConfigurationBlock


def unread(config: ConfigurationBlock, paths: Iterable[str]) -> dict[str, str]:
    """Those of the dotted `paths` that nothing reads in `config`, each with what it would need.

    A path whose block is switched off (a tau beside weight 0, a rank at cell scope) is listed; an unknown path is not.
    """
    settings = flatten(config.model_dump())
    idle = {}
    for path in paths:
        leaf = leaves().get(path)
        needs = [str(mark) for mark in _marks(leaf, settings) if not mark.holds(settings)] if leaf else []
        if needs:
            idle[path] = " and ".join(needs)
    return idle


def conditional() -> dict[str, list[ReadWhere]]:
    """Every path that acts only beside others -> beside which, whatever the variant of its block."""
    return {path: marks for path, leaf in leaves().items() if (marks := list(_marks(leaf, {})))}


def _marks(leaf: Leaf, settings: Mapping[str, Any]) -> Iterator[ReadWhere]:
    """Of the variant that the settings have, or of any where they say none; beside a weight that is 0 nothing of a loss
    term's block is read."""
    block, _, key = leaf.path.rpartition(".")
    if block.startswith("loss.") and key != "weight" and f"{block}.weight" in leaves():
        yield ReadWhere({f"{block}.weight": POSITIVE})
    kind = settings.get(leaf.discriminator) if leaf.discriminator else None
    fields = leaf.fields if kind not in leaf.fields else {kind: leaf.fields[kind]}
    info = next(iter(fields.values()))
    yield from (mark for mark in info.metadata if isinstance(mark, ReadWhere))
