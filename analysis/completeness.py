"""Which units of a configuration have finished, of those that were planned, and what became of the others."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from itertools import product
from typing import Any

from analysis.reported import REPORTED, statuses
from analysis.store import KEYS, Run

NOT_STARTED = "not started"
IMPORTED = "imported"
"""Design of a run of other people's results."""
NO_ROWS = "without val_unseen rows"


@dataclass(frozen=True)
class Completeness:
    """`finished` of `planned` units; `lacking`: status of the others (diverged, failed, running, interrupted, stopped by
    the audit, pruned before it began, `NOT_STARTED`, `NO_ROWS`) -> units as (fold, seed)."""

    planned: int
    finished: int
    lacking: Mapping[str, tuple[tuple[str, int], ...]]

    @property
    def complete(self) -> bool:
        return self.finished >= self.planned

    @property
    def diverged(self) -> bool:
        return "diverged" in self.lacking

    def describe(self) -> str:
        """`1/3 units: diverged seeds 1, 2`, or nothing for a complete configuration."""
        if self.complete:
            return ""
        parts = []
        for status, units in self.lacking.items():
            seeds = sorted({seed for _, seed in units})
            named = ", ".join(map(str, seeds[:4])) + (", ..." if len(seeds) > 4 else "")
            parts.append(f"{status} seed{'s' if len(seeds) > 1 else ''} {named}")
        return f"{self.finished}/{self.planned} units: " + "; ".join(parts)


def imported(plan: Mapping[str, Any]) -> bool:
    """Whether a plan is of other people's results."""
    return plan.get("design") == IMPORTED


def asked_of_each(run: Run) -> frozenset[tuple[str, int]]:
    """(fold, seed) that every configuration is asked for: those of plan.json, and in a run without one all that any of
    its configurations has been started on; none of what was imported, which nobody here has planned."""
    plan = run.plan()
    if imported(plan):
        return frozenset()
    asked = frozenset(product(plan.get("folds", []), plan.get("seeds", [])))
    if asked:
        return asked
    units = run.table("units")
    return frozenset(zip(units["fold"].tolist(), units["seed"].tolist(), strict=True))


def planned_units(
    everywhere: Set[tuple[str, int]], started: Iterable[tuple[str, int]]
) -> list[tuple[str, int]]:
    """Units of one configuration as (fold, seed): those that all are asked for, and those started outside the plan."""
    return sorted({*everywhere, *started})


def completeness(run: Run, finished: Set[tuple[str, str, int]]) -> dict[str, Completeness]:
    """Configuration -> its completeness, given the units (config, fold, seed) that have a value.

    Every configuration is planned on `asked_of_each`. Units that were started outside the plan count too.
    """
    unit_rows = run.table("units")
    plan = run.plan()
    reached: dict[str, dict[tuple[str, int], str]] = {str(c["id"]): {} for c in plan.get("configs", [])}
    columns = [*(unit_rows[key].tolist() for key in KEYS), statuses(run).tolist()]
    for config, fold, seed, status in zip(*columns, strict=True):
        reached.setdefault(config, {})[(fold, seed)] = status
    everywhere = asked_of_each(run)
    complete = {}
    for config, states in reached.items():
        planned = planned_units(everywhere, states)
        lacking: dict[str, list[tuple[str, int]]] = {}
        for fold, seed in planned:
            if (config, fold, seed) not in finished:
                state = states.get((fold, seed), NOT_STARTED)
                lacking.setdefault(NO_ROWS if state in REPORTED else state, []).append((fold, seed))
        count = len(planned) - sum(map(len, lacking.values()))
        complete[config] = Completeness(len(planned), count, {k: tuple(v) for k, v in lacking.items()})
    return complete
