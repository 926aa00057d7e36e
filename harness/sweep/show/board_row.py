"""One configuration of a running sweep: how far its trial on each fold is, and what it has reached over all of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.unit_log import ENDED as WITH_RESULT
from harness.sweep.run.statuses import WORST_FIRST

ENDED = (*WITH_RESULT, "failed")


@dataclass(slots=True)
class BoardTrial:
    """A configuration on one fold: how far it is, and its headline numbers (means over its units)."""

    epochs: int
    """Epochs that it is to run."""
    units: int
    status: str = "waiting"
    epoch: int = 0
    objective: float = math.nan
    metrics: dict[str, float] = field(default_factory=dict)
    reason: str = ""
    diverged: int = 0
    """Units that diverged; the trial goes on with the others."""

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    def take(self, report: Mapping[str, Any]) -> None:
        """A worker's report after an epoch."""
        self.epoch, self.status, self.reason = int(report["epoch"]), report["status"], report["reason"]
        self.objective = float(report["objective"])
        self.metrics = dict(report["metrics"]) or self.metrics
        self.diverged = int(report["diverged"])


@dataclass(slots=True)
class BoardRow:
    """One configuration: what it changes, its trials by fold, and the name of its arm in a design that has arms. What is
    over several folds is the mean over those that have a value, or for counts the sum."""

    config: str
    changes: Mapping[str, Any]
    trials: dict[str, BoardTrial]
    warned: set[str] = field(default_factory=set)
    arm: str = ""

    @property
    def status(self) -> str:
        """That of its worst trial once all have ended; before, whether one has begun."""
        states = [trial.status for trial in self.trials.values()]
        if all(state in ENDED for state in states):
            return min(states, key=WORST_FIRST.index)
        return "waiting" if all(state == "waiting" for state in states) else "running"

    @property
    def ended(self) -> bool:
        return all(trial.ended for trial in self.trials.values())

    @property
    def epoch(self) -> int:
        """Finished epochs of all folds."""
        return sum(trial.epoch for trial in self.trials.values())

    @property
    def epochs(self) -> int:
        """Epochs that all folds are to run."""
        return sum(trial.epochs for trial in self.trials.values())

    @property
    def progress(self) -> str:
        """How far it is, in words: the epochs of one fold, or those of all folds together."""
        if len(self.trials) == 1:
            return f"epoch {self.epoch}/{self.epochs}"
        return f"{self.epoch}/{self.epochs} epochs of {len(self.trials)} folds"

    @property
    def left(self) -> int:
        """Epochs that are still to run."""
        return sum(trial.epochs - trial.epoch for trial in self.trials.values() if not trial.ended)

    @property
    def objective(self) -> float:
        return _mean([trial.objective for trial in self.trials.values()])

    @property
    def whole(self) -> bool:
        """Whether it has a value on every fold, so that it can be compared with the others."""
        return all(math.isfinite(trial.objective) for trial in self.trials.values())

    @property
    def diverged(self) -> int:
        return sum(trial.diverged for trial in self.trials.values())

    @property
    def units(self) -> int:
        return sum(trial.units for trial in self.trials.values())

    @property
    def reason(self) -> str:
        """Why it ended before its last epoch: what its worst trial says."""
        told = [trial for trial in self.trials.values() if trial.reason]
        known = (*WORST_FIRST, "waiting")
        return min(told, key=lambda trial: known.index(trial.status)).reason if told else ""

    def metric(self, name: str) -> float:
        """Mean of a headline metric; NaN before the first epoch."""
        return _mean([trial.metrics.get(name, math.nan) for trial in self.trials.values()])


def _mean(values: list[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan
