"""What the store says of the units of a run."""

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from analysis.stamps import STAMPS
from analysis.store import Run
from harness.design.plan import Trial, Unit
from harness.sweep.run.statuses import ENDED, WORST_FIRST


class Stored(NamedTuple):
    """What the store says of a unit: its status, what it reached of which objective, and its stamp columns."""

    status: str
    objective: str
    value: float | None
    stamp: Mapping[str, Any] = {}


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


def stored_units(run: Path) -> dict[Unit, Stored]:
    """Every unit that the store has a row of, and what it says."""
    columns = ["config", "fold", "seed", "status", "objective_value", *STAMPS]
    rows = Run(run).columns("units", columns).to_dict("records")
    return {
        Unit(row["config"], row["fold"], int(row["seed"])): Stored(
            row["status"],
            str(row["objective"]),
            None if row["objective_value"] != row["objective_value"] else float(row["objective_value"]),
            {name: row[name] if isinstance(row[name], str) else None for name in STAMPS},
        )
        for row in rows
    }


def complete_units(run: Path, pending: Collection[Trial]) -> list[str]:
    """Names of the units that ended with a result, of trials of which nothing is `pending`."""
    return [
        unit.name
        for unit, row in stored_units(run).items()
        if row.status in ENDED and unit.trial not in pending
    ]
