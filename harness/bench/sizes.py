"""Sizes at which the bench runs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BenchSize:
    """Sequence side and batch of one measurement.

    `chunk`: samples that the plain way takes at once, gradients accumulated (its activations at the whole
    batch would not fit); `exact_batch`: samples of the comparison in float64; `rounds`: measured rounds of
    the fast way.
    """

    batch: int
    enhancer_bp: int
    promoter_bp: int
    embedding: int
    kernel: int
    width: int
    pool: int = 24
    chunk: int = 4
    exact_batch: int = 2
    rounds: int = 3


DOCUMENTED = BenchSize(64, 1000, 4000, embedding=768, kernel=43, width=64)
"""The documented sizes of the k-mer stem."""
STEP = BenchSize(64, 1000, 4000, embedding=64, kernel=11, width=64, chunk=64)
"""The sizes at which a whole training step is measured."""
QUICK = BenchSize(3, 90, 130, embedding=8, kernel=5, width=8, chunk=2, rounds=1)
"""Seconds of work to see that everything runs and agrees; its ratios mean nothing."""
QUICK_UNITS = 10
"""Units or configurations of the quick way of what has no batch."""
