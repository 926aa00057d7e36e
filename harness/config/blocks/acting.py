"""Which keys act only beside others: a key that is given and that nothing would read is a mistake, not a setting."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness.config.blocks.paths import Leaf, flatten, leaves
from harness.config.blocks.read_where import POSITIVE, ReadWhere
from harness.config.blocks.trial import TrialConfig


def unread(config: TrialConfig, given: Iterable[str]) -> dict[str, str]:
    """The given dotted paths that nothing reads in `config`, each with what it would need.

    A path that is given with its block switched off (a tau beside weight 0, a rank at cell scope) is listed; paths
    that are not known here are somebody else's business.
    """
    settings = flatten(config.model_dump())
    found = {}
    for path in given:
        leaf = leaves().get(path)
        needs = [str(mark) for mark in _marks(leaf, settings) if not mark.holds(settings)] if leaf else []
        if needs:
            found[path] = " and ".join(needs)
    return found


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
