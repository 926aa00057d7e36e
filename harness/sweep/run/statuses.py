"""What the statuses of units mean to a sweep."""

import math
from collections.abc import Mapping

from analysis import unit_log

ENDED = frozenset(unit_log.ENDED)
"""Statuses of units that are results; `failed` ones are tried again by --resume."""
WORST_FIRST = ("failed", "diverged", "running", "pruned", "stopped", "done")
"""A configuration that has ended has the status of its worst unit, in this order; before, it is running."""
Reached = Mapping[str, tuple[str, float | None]]
"""Unit's name -> (status, value of the objective) of units of one trial."""


def judged(reached: Reached) -> tuple[str, float]:
    """Status of the worst unit of a trial, and the mean of the objective over those that count (NaN for none)."""
    values = [
        value
        for status, value in reached.values()
        if status not in ("diverged", "failed") and value is not None and math.isfinite(value)
    ]
    worst = min((status for status, _ in reached.values()), key=WORST_FIRST.index)
    return worst, sum(values) / len(values) if values else math.nan
