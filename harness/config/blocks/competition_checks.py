"""What a competition is configured for and could not do: sentences that a configuration is refused with."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.config.blocks.trial import TrialConfig


def competition_faults(config: "TrialConfig") -> Iterator[str]:
    """One sentence per reason why `loss.competition` is switched on and could not act."""
    block = config.loss.competition
    if block.weight == 0:
        return
    if config.environment.source != "support":
        yield (
            "loss.competition.weight needs a Student to compete with (environment.source: support), and "
            f"environment.source is {config.environment.source}"
        )
    if config.episode.pseudo_unseen == 0:
        yield (
            "loss.competition.weight needs episode.pseudo_unseen above 0: whether an advantage of the Opportunist is a "
            "shortcut shows only where a cell line's name is hidden"
        )
    if block.push == 0 and block.pull == 0:
        yield "loss.competition.push and pull are both 0, which leaves the competition nothing to do"
