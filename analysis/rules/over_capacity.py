"""Rule over_capacity."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from analysis.rules.columns import Readings, RunColumns
from analysis.rules.records import UnitRecords
from analysis.rules.rule import NotEvaluated, Reading, Rule, Violation


class OverCapacity(Rule):
    """More than 10 parameters per training pair (seed 004).

    Known before the first step, so it is marked as implied by the sizes: no training result is judged by it.
    """

    id = "over_capacity"
    mark = "p"
    condition_text = "parameters / training pairs > 10"
    severity = "documented"
    source = "seed 004"
    advice = "a smaller k-mer embedding or width, shared sides, or more cell lines"
    limits: ClassVar[dict[str, float]] = {"over_capacity": 10.0}

    def measure(self, unit: UnitRecords) -> list[Reading] | NotEvaluated:
        for key in ("parameters", "train_pairs"):
            value = unit.trial.get(key)
            if value is None or not value > 0:
                return NotEvaluated(f"{key} of the table trials")
        values = {key: float(unit.trial[key]) for key in ("parameters", "train_pairs")}
        return [Reading(values, None)]

    def condition(self, reading: Reading, limits: Mapping[str, float]) -> Violation | None:
        parameters, pairs = reading.values["parameters"], reading.values["train_pairs"]
        ratio, limit = parameters / pairs, limits[self.id]
        if ratio <= limit:
            return None
        evidence = f"{parameters:,.0f} parameters for {pairs:,.0f} training pairs; known before training"
        return Violation(ratio, limit, evidence, implied=True)

    def columns(self, run: RunColumns) -> Readings:
        return run.trial(["parameters", "train_pairs"])

    def excess(self, values: Mapping[str, np.ndarray], limits: Mapping[str, float]) -> np.ndarray:
        over = values["parameters"] / values["train_pairs"] - limits[self.id]
        return np.where(over > 0, over, np.nan)
