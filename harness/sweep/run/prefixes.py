"""What a run has trained of phase 1, and taken over; and the files that this went through."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from analysis.store import Run
from harness.design.plan import Plan, Unit
from harness.trial.prefix import FOLDER


@dataclass(frozen=True)
class Taken:
    """Of the units of a plan that have epochs: phases 1 that there are and those that were `trained`, epochs of all, and
    those that were taken over from another unit."""

    phases: int
    trained: int
    epochs: int
    shared: int

    @classmethod
    def of(cls, run: Path, plan: Plan) -> "Taken":
        asked, phases, trained, epochs, shared = set(plan.units()), 0, 0, 0, 0
        columns = ["config", "fold", "seed", "epochs", "shared_epochs"]
        for row in Run(run).columns("units", columns).fillna(0).to_dict("records"):
            unit = Unit(row["config"], row["fold"], int(row["seed"]))
            if unit not in asked or not row["epochs"]:
                continue
            first = plan.configs[unit.config_id].config.curriculum.phase1_epochs
            epochs += int(row["epochs"])
            shared += int(row["shared_epochs"])
            phases += first > 0
            trained += first > 0 and row["shared_epochs"] < min(first, row["epochs"])
        return cls(phases, trained, epochs, shared)

    @property
    def ratio(self) -> float:
        """Epochs without sharing over epochs that were trained."""
        return self.epochs / (self.epochs - self.shared) if self.epochs else 1.0

    def sentence(self, ceiling: float) -> str:
        """`phase 1 shared: 9 of 24 phases trained, 1.90 x fewer epochs (ceiling 2.00)`."""
        return (
            f"phase 1 shared: {self.trained} of {self.phases} phases trained, {self.ratio:.2f} x fewer epochs "
            f"(ceiling {ceiling:.2f})"
        )


def forget_prefixes(run: Path) -> None:
    """Remove what units left for each other: no unit of a finished run has its phase 1 before it."""
    shutil.rmtree(run / FOLDER, ignore_errors=True)
