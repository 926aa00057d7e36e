"""Rule negative_loss."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from analysis.rules.columns import Readings, RunColumns
from analysis.rules.records import UnitRecords, number
from analysis.rules.rule import NotEvaluated, Reading, Rule, Violation


class NegativeLoss(Rule):
    """Total training loss below 0 at any epoch: a term is being won by running off to infinity (seed 004)."""

    id = "negative_loss"
    mark = "n"
    condition_text = "total loss < 0"
    severity = "documented"
    source = "seed 004"
    advice = "look at the terms table for the one that is negative, and lower its weight or bound it"
    limits: ClassVar[dict[str, float]] = {"negative_loss": 0.0}
    lasting = False
    screens = True

    def measure(self, unit: UnitRecords) -> list[Reading] | NotEvaluated:
        series = unit.epoch_values("loss")
        if not series:
            return NotEvaluated("loss of the table epochs")
        lowest: dict[int, float] = {}
        for row in unit.term_rows():
            value, epoch = number(row, "weighted"), number(row, "epoch")
            if value is not None and epoch is not None:
                lowest[int(epoch)] = min(value, lowest.get(int(epoch), value))
        return [
            Reading({"loss": value, "lowest_term": lowest.get(epoch, float("nan"))}, epoch)
            for epoch, value in series
        ]

    def condition(self, reading: Reading, limits: Mapping[str, float]) -> Violation | None:
        value, limit = reading.values["loss"], limits[self.id]
        if value >= limit:
            return None
        evidence = f"total loss {value:.4g} at epoch {reading.epoch}"
        if reading.values["lowest_term"] < 0:
            evidence += f"; the lowest weighted term is {reading.values['lowest_term']:.4g}"
        return Violation(value, limit, evidence)

    def columns(self, run: RunColumns) -> Readings:
        return run.series("loss", "loss")

    def excess(self, values: Mapping[str, np.ndarray], limits: Mapping[str, float]) -> np.ndarray:
        below = limits[self.id] - values["loss"]
        return np.where(below > 0, below, np.nan)
