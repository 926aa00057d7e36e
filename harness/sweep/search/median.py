"""Median stopping over configurations, on one fold or several."""

from collections.abc import Collection
from statistics import median

from harness.config.blocks.sweep import MedianSchedulerBlock
from harness.sweep.search.curves import Curves
from harness.sweep.search.lockstep import Folds, Lockstep, Prune


class LockstepMedian(Lockstep):
    """After every epoch from `grace` on a configuration ends whose best so far is worse than the median of the other
    configurations' running means up to that epoch, as soon as there are `startup` others.

    Source: Golovin et al. 2017, "Google Vizier: A Service for Black-Box Optimization", section 3.2.2.
    """

    def __init__(
        self,
        block: MedianSchedulerBlock,
        curves: Curves,
        *,
        sign: int,
        prune: Prune,
        pruned: Collection[str] = (),
    ) -> None:
        self.block = block
        self._merits: dict[tuple[int, Folds], dict[str, float]] = {}
        """(epoch, folds) -> merit of the running mean of every configuration that came there."""
        super().__init__(curves, sign=sign, prune=prune, pruned=pruned)

    def moment(self, epoch: int) -> float:
        return float(epoch) if epoch >= self.block.grace else 0.0

    def enter(self, config: str, folds: Folds, epoch: int) -> None:
        merit = self.sign * self.curves.running_mean(config, folds, epoch)
        self._merits.setdefault((epoch, folds), {})[config] = merit

    def verdict(self, config: str, folds: Folds, epoch: int) -> str | None:
        others = [m for other, m in self._merits.get((epoch, folds), {}).items() if other != config]
        value = self.curves.mean(config, folds, epoch)
        if len(others) < self.block.startup or self.sign * value >= median(others):
            return None
        return (
            f"pruned after epoch {epoch}: objective {value:.4f} is worse than the median "
            f"{self.sign * median(others):.4f} of {len(others)} others"
        )
