"""Units that end without a worker that could say so: their rows, with all that the driver knows of them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.files import filed_units
from harness.data.folds import Fold
from harness.design.plan import Plan, Planned, Unit
from harness.stamp.stamp import Stamp
from harness.store.failing import fail, leave_out


@dataclass(frozen=True)
class Unrun:
    """Writes rows of units into `run`; what they are made with is the same for all units of a start."""

    run: Path
    objective: str
    device: str
    stamp: Stamp | None

    def row(
        self, unit: Unit, fold: Fold, config: Mapping[str, Any], changes: Mapping[str, Any], reason: str
    ) -> dict[str, Any]:
        """The row of `units` of one that never had an epoch."""
        return {
            **(self.stamp.row() if self.stamp else {}),
            "config": unit.config_id,
            "fold": unit.fold,
            "seed": unit.seed,
            "reason": reason,
            "epochs": 0,
            "objective": self.objective,
            "device": self.device,
            "config_json": json.dumps(config, sort_keys=True),
            "changes_json": json.dumps(changes, sort_keys=True),
            "fold_json": json.dumps(fold.content(), sort_keys=True),
        }

    def give_up(self, plan: Plan, units: Iterable[Unit], reason: str) -> None:
        """Mark the unfinished ones of `units` as failed, whose worker could not do it itself."""
        filed = filed_units(self.run)
        for unit in units:
            if unit.name not in filed:
                fail(self.run, unit.name, self._row(plan, unit, reason))

    def prune(self, plan: Plan, units: Iterable[Unit], reason: str) -> None:
        """Mark `units` as pruned, none of which has begun."""
        for unit in units:
            leave_out(self.run, unit.name, self._row(plan, unit, reason))

    def _row(self, plan: Plan, unit: Unit, reason: str) -> dict[str, Any]:
        planned: Planned = plan.configs[unit.config_id]
        return self.row(unit, plan.known[unit.fold], planned.config.canonical(), planned.changes, reason)
