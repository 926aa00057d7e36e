"""What Ray runs: one configuration on one fold."""

from typing import NamedTuple


class Trial(NamedTuple):
    """A configuration on a fold, with all of its seeds."""

    config_id: str
    fold: str
    """Identity of the fold's content (`Fold.id`)."""

    def unit(self, seed: int) -> str:
        """Name of its unit with a seed: stem of the unit's files in the store."""
        return f"{self.config_id}-{self.fold}-{seed}"
