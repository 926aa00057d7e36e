"""Rule overfit_train."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from analysis.rules.columns import Readings, RunColumns
from analysis.rules.records import UnitRecords
from analysis.rules.rule import NotEvaluated, Reading, Rule, Violation


class OverfitTrain(Rule):
    """Train AUPR above 0.95 at any epoch: the training pairs are being memorised (seed 004)."""

    id = "overfit_train"
    mark = "o"
    condition_text = "train AUPR > 0.95"
    severity = "documented"
    source = "seed 004"
    advice = "fewer epochs or parameters, more dropout or weight decay; compare the best epoch on val_unseen"
    limits: ClassVar[dict[str, float]] = {"overfit_train": 0.95}
    lasting = False

    def measure(self, unit: UnitRecords) -> list[Reading] | NotEvaluated:
        series = unit.train_aupr()
        if not series:
            return NotEvaluated("train_aupr of the table epochs")
        return [Reading({"aupr": value}, epoch, "train") for epoch, value in series]

    def condition(self, reading: Reading, limits: Mapping[str, float]) -> Violation | None:
        value, limit = reading.values["aupr"], limits[self.id]
        if value <= limit:
            return None
        return Violation(value, limit, f"train AUPR {value:.3f} at epoch {reading.epoch}")

    def columns(self, run: RunColumns) -> Readings:
        return run.series("train_aupr", "aupr")

    def excess(self, values: Mapping[str, np.ndarray], limits: Mapping[str, float]) -> np.ndarray:
        over = values["aupr"] - limits[self.id]
        return np.where(over > 0, over, np.nan)
