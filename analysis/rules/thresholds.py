"""Rules threshold_low and threshold_high: the best-F1 threshold sits at an end of the probability scale."""

from collections.abc import Mapping
from typing import ClassVar

from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.sources import documents
from analysis.rules.table import Floats
from analysis.rules.units import Units


class Threshold(Rule):
    """Measures the F1-optimal threshold on the unseen pairs, per cell line and pooled."""

    def measure(self, units: Units) -> Readings:
        return units.cells(["threshold_oracle", "f1_oracle", "f1"], optional=["threshold_oracle_logit"])

    def evidence(self, reading: Reading) -> str:
        values = reading.values
        exact = (
            f" (logit {values['threshold_oracle_logit']:.4g})" if "threshold_oracle_logit" in values else ""
        )
        text = (
            f"best-F1 threshold {values['threshold_oracle']:.3g}{exact} where a calibrated model's would be F*/2 = "
            f"{values['f1_oracle'] / 2:.2f}"
        )
        lost = values["f1_oracle"] - values["f1"]
        return text + (f"; the validation threshold loses {lost:.3f} of F1" if lost else "")


@register
class ThresholdLow(Threshold):
    """Best-F1 threshold below 0.05, pooled or in any unseen cell line (source document 004)."""

    id = "threshold_low"
    mark = "l"
    order = 40
    condition_text = "best-F1 threshold < 0.05, pooled or any cell line"
    severity = "documented"
    source = documents("004")
    advice = (
        "logits are shifted far down: check R_E's sign and size, loss weights that push U_I, and calibration"
    )
    limits: ClassVar[Mapping[str, float]] = {"threshold_low": 0.05}

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        threshold, limit = values["threshold_oracle"], limits[self.id]
        return Broken(threshold, limit, threshold < limit)


@register
class ThresholdHigh(Threshold):
    """Best-F1 threshold at or above 0.95, pooled or in any unseen cell line (record points rp05, rp24)."""

    id = "threshold_high"
    mark = "h"
    order = 50
    condition_text = "best-F1 threshold >= 0.95, pooled or any cell line"
    severity = "documented"
    source = "record points rp05, rp24"
    advice = "logits are shifted far up: check the speculation term and temperature, and calibration"
    limits: ClassVar[Mapping[str, float]] = {"threshold_high": 0.95}

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        threshold, limit = values["threshold_oracle"], limits[self.id]
        return Broken(threshold, limit, threshold >= limit)
