"""Units that end without a worker that could say so."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.files import filed_units
from harness.design.plan import Plan, Unit
from harness.stamp.stamp import Stamp
from harness.store.failing import fail, leave_out
from harness.sweep.run.bare_row import bare_row


@dataclass(frozen=True)
class Unrun:
    """Writes their rows into `run`; what they would have been made with is the same for all units of a start."""

    run: Path
    objective: str
    device: str
    stamp: Stamp | None

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
        planned = plan.configs[unit.config_id]
        return bare_row(
            unit.config_id,
            plan.known[unit.fold],
            unit.seed,
            content=planned.config.canonical(),
            changes=planned.changes,
            objective=self.objective,
            device=self.device,
            stamp=self.stamp,
            reason=reason,
        )
