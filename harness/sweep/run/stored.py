"""What the store says of the units of a run."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from analysis.stamps import STAMPS
from analysis.store import Run
from harness.design.plan import Unit
from harness.design.trial import Trial
from harness.sweep.run.statuses import ENDED


class Stored(NamedTuple):
    """What the store says of a unit: its status, what it reached of which objective, and its stamp columns."""

    status: str
    objective: str
    value: float | None
    stamp: Mapping[str, Any] = {}


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
