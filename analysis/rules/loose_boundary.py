"""Rule loose_boundary."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from analysis.rules.columns import Readings, RunColumns
from analysis.rules.records import UnitRecords
from analysis.rules.rule import NotEvaluated, Reading, Rule, Violation, cell_readings

_IMPLIED_AUC = 0.74
_BALANCED = (0.45, 0.55)
_COLUMNS = ("recall", "precision", "prevalence", "auc")


class LooseBoundary(Rule):
    """Recall above 0.8 with precision below 0.6: far more is called positive than is (seed 004).

    At 1:1 the F1-optimal threshold of any model with AUC < 0.74 does this, a healthy one's too
    so the finding is then marked as implied by the data.
    """

    id = "loose_boundary"
    mark = "b"
    condition_text = "recall > 0.8 and precision < 0.6"
    severity = "documented"
    source = "seed 004"
    advice = "raise AUC first; at a fixed AUC choose the threshold by the cost of a false positive, not by F1"
    limits: ClassVar[dict[str, float]] = {"loose_boundary": 0.8, "loose_boundary.precision": 0.6}

    def measure(self, unit: UnitRecords) -> list[Reading] | NotEvaluated:
        return cell_readings(unit, list(_COLUMNS))

    def condition(self, reading: Reading, limits: Mapping[str, float]) -> Violation | None:
        recall, precision = reading.values["recall"], reading.values["precision"]
        limit = limits[self.id]
        if not (recall > limit and precision < limits["loose_boundary.precision"]):
            return None
        ratio = recall / precision if precision > 0 else float("inf")
        evidence = f"recall {recall:.3f}, precision {precision:.3f}: {ratio:.2f} called positive per positive"
        implied = _BALANCED[0] <= reading.values["prevalence"] <= _BALANCED[1]
        implied = implied and reading.values["auc"] < _IMPLIED_AUC
        if implied:
            evidence += f"; implied by the data: at 1:1 every model with AUC < {_IMPLIED_AUC} does this"
        return Violation(recall, limit, evidence, implied)

    def columns(self, run: RunColumns) -> Readings:
        return run.cells(_COLUMNS)

    def excess(self, values: Mapping[str, np.ndarray], limits: Mapping[str, float]) -> np.ndarray:
        over = values["recall"] - limits[self.id]
        return np.where((over > 0) & (values["precision"] < limits["loose_boundary.precision"]), over, np.nan)
