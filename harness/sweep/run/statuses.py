"""What the statuses of units mean to a sweep."""

from analysis import unit_log

ENDED = frozenset(unit_log.ENDED)
"""Statuses of units that are results; `failed` ones are tried again by --resume."""
WORST_FIRST = ("failed", "diverged", "running", "pruned", "stopped", "done")
"""A configuration that has ended has the status of its worst unit, in this order; before, it is running."""
