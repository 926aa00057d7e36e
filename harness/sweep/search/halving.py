"""Asynchronous successive halving over configurations, on one fold or several."""

import math
from collections.abc import Collection

import numpy as np

from harness.config.blocks.sweep import AshaSchedulerBlock
from harness.sweep.search.curves import Curves
from harness.sweep.search.lockstep import Folds, Lockstep, Prune


class LockstepHalving(Lockstep):
    """Rungs lie at grace, grace * reduction, ... epochs; at a rung a configuration goes on that is among the best
    1/reduction of those that came to it before.

    With several folds a rung is come to once for every fold, and the share that goes on is that of the whole rung: a
    configuration that ended at it on fewer folds counts as no better than the worst of the others. Source: Li et al.
    2020, "A System for Massively Parallel Hyperparameter Tuning".
    """

    def __init__(
        self,
        block: AshaSchedulerBlock,
        curves: Curves,
        *,
        sign: int,
        prune: Prune,
        pruned: Collection[str] = (),
    ) -> None:
        self.block = block
        self._merits: dict[tuple[float, Folds], dict[str, float]] = {}
        """(rung, folds) -> merit of every configuration that came there."""
        self._ended: dict[float, set[str]] = {}
        """Rung -> the configurations that ended at it."""
        for config in pruned:
            furthest = max((curves.last(config, [fold]) for fold in curves.folds(config)), default=0)
            self._ended.setdefault(self.moment(furthest), set()).add(config)
        super().__init__(curves, sign=sign, prune=prune, pruned=pruned)

    def moment(self, epoch: int) -> float:
        if epoch < self.block.grace:
            return 0.0
        # Rounded up by a hair: the logarithm of a whole power may come out below it.
        steps = math.floor(math.log(epoch / self.block.grace) / math.log(self.block.reduction) + 1e-9)
        return float(self.block.grace * self.block.reduction**steps)

    def enter(self, config: str, folds: Folds, epoch: int) -> None:
        rung = self.moment(epoch)
        merits = self._merits.setdefault((rung, folds), {})
        if config not in merits:
            merits[config] = self.sign * self.curves.mean(config, folds, rung)

    def verdict(self, config: str, folds: Folds, epoch: int) -> str | None:
        rung = self.moment(epoch)
        merits = self._merits.get((rung, folds), {})
        if config in merits or not merits:
            return None
        others = list(merits.values())
        others += [min(others)] * len(self._ended.get(rung, set()) - merits.keys())
        value = self.curves.mean(config, folds, rung)
        if self.sign * value >= np.percentile(others, (1 - 1 / self.block.reduction) * 100):
            return None
        self._ended.setdefault(rung, set()).add(config)
        return f"pruned after epoch {epoch}: objective {value:.4f} is not among the best 1/{self.block.reduction:g}"
