"""Which scheduler a sweep's `scheduler` block asks for."""

from collections.abc import Collection

from harness.config.blocks.sweep import AshaSchedulerBlock, MedianSchedulerBlock, SchedulerBlock
from harness.sweep.search.curves import Curves
from harness.sweep.search.halving import LockstepHalving
from harness.sweep.search.lockstep import Lockstep, Prune
from harness.sweep.search.median import LockstepMedian


def scheduler_of(
    block: SchedulerBlock, curves: Curves, *, sign: int, prune: Prune, pruned: Collection[str]
) -> Lockstep | None:
    """The scheduler, with what earlier starts left; None where every configuration runs to its last epoch."""
    if isinstance(block, AshaSchedulerBlock):
        return LockstepHalving(block, curves, sign=sign, prune=prune, pruned=pruned)
    if isinstance(block, MedianSchedulerBlock):
        return LockstepMedian(block, curves, sign=sign, prune=prune, pruned=pruned)
    return None
