"""Rules threshold_low and threshold_high: the best-F1 threshold sits at an end of the probability scale."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from analysis.rules.columns import Readings, RunColumns
from analysis.rules.records import UnitRecords
from analysis.rules.rule import NotEvaluated, Reading, Rule, Violation, cell_readings

_COLUMNS, _LOGIT = ("threshold_oracle", "f1_oracle", "f1"), ("threshold_oracle_logit",)


class _Threshold(Rule):
    """Measures the F1-optimal threshold on the unseen pairs, per cell line and pooled."""

    def measure(self, unit: UnitRecords) -> list[Reading] | NotEvaluated:
        return cell_readings(unit, list(_COLUMNS), optional=_LOGIT)

    @abstractmethod
    def beyond(self, threshold: Any, limit: float) -> Any:
        """Whether a threshold, or each of many, lies beyond the limit."""

    def columns(self, run: RunColumns) -> Readings:
        return run.cells(_COLUMNS, optional=_LOGIT)

    def excess(self, values: Mapping[str, np.ndarray], limits: Mapping[str, float]) -> np.ndarray:
        threshold, limit = values["threshold_oracle"], limits[self.id]
        return np.where(self.beyond(threshold, limit), np.abs(threshold - limit), np.nan)

    def condition(self, reading: Reading, limits: Mapping[str, float]) -> Violation | None:
        threshold, limit = reading.values["threshold_oracle"], limits[self.id]
        if not self.beyond(threshold, limit):
            return None
        best, reached = reading.values["f1_oracle"], reading.values["f1"]
        logit = reading.values.get("threshold_oracle_logit")
        exact = "" if logit is None else f" (logit {logit:.4g})"
        evidence = (
            f"best-F1 threshold {threshold:.3g}{exact} where a calibrated model's would be F*/2 = {best / 2:.2f}; "
            f"the validation threshold loses {best - reached:.3f} of F1"
        )
        return Violation(threshold, limit, evidence)


class ThresholdLow(_Threshold):
    """Best-F1 threshold below 0.05, pooled or in any unseen cell line (seed 004)."""

    id = "threshold_low"
    mark = "l"
    condition_text = "best-F1 threshold < 0.05, pooled or any cell line"
    severity = "documented"
    source = "seed 004"
    advice = (
        "logits are shifted far down: check R_E's sign and size, loss weights that push U_I, and calibration"
    )
    limits: ClassVar[dict[str, float]] = {"threshold_low": 0.05}

    def beyond(self, threshold: Any, limit: float) -> Any:
        return threshold < limit


class ThresholdHigh(_Threshold):
    """Best-F1 threshold at or above 0.95, pooled or in any unseen cell line (record points rp05, rp24)."""

    id = "threshold_high"
    mark = "h"
    condition_text = "best-F1 threshold >= 0.95, pooled or any cell line"
    severity = "documented"
    source = "record points rp05, rp24"
    advice = "logits are shifted far up: check the speculation term and temperature, and calibration"
    limits: ClassVar[dict[str, float]] = {"threshold_high": 0.95}

    def beyond(self, threshold: Any, limit: float) -> Any:
        return threshold >= limit
