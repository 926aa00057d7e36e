"""What early stopping saved: the epochs that were planned and not run, by what ended their units."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from analysis.reported import AUDIT_STOP
from analysis.store import Run
from harness.design.plan import Plan, Unit


@dataclass(frozen=True)
class Saved:
    """Of all units that have ended well or early: epochs that were `planned`, and epochs not run by cause."""

    planned: int
    by: Counter[str]

    @classmethod
    def of(cls, run: Path, plan: Plan) -> "Saved":
        """Of the units that the plan asks for; those that the audit stopped, failed or diverged saved nothing."""
        asked, planned, by = set(plan.units()), 0, Counter[str]()
        columns = ["config", "fold", "seed", "status", "reason", "epochs"]
        for row in Run(run).columns("units", columns).to_dict("records"):
            unit, status = Unit(row["config"], row["fold"], int(row["seed"])), row["status"]
            counts = status in ("done", "pruned", "stopped") and not str(row["reason"]).startswith(AUDIT_STOP)
            if unit not in asked or not counts:
                continue
            epochs = plan.configs[unit.config_id].config.optimiser.epochs
            planned += epochs
            if status != "done":
                by[status] += epochs - int(row["epochs"])
        return cls(planned, by)

    def sentence(self, scheduler: str, rules: str) -> str:
        """`early stopping saved 38 of 120 epochs (32 %): 30 by asha, 8 by mode_collapse`."""
        total = sum(self.by.values())
        share = f" ({100 * total / self.planned:.0f} %)" if self.planned else ""
        named = {"pruned": scheduler, "stopped": rules}
        causes = ", ".join(f"{self.by[status]} by {named[status]}" for status in named if self.by[status])
        return f"early stopping saved {total} of {self.planned} epochs{share}" + (
            f": {causes}" if causes else ""
        )
