"""Rule loose_boundary."""

from collections.abc import Mapping
from typing import ClassVar

from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.sources import documents
from analysis.rules.table import Floats
from analysis.rules.units import Units

_IMPLIED_AUC = 0.74
_BALANCED = (0.45, 0.55)


@register
class LooseBoundary(Rule):
    """Recall above 0.8 with precision below 0.6: far more is called positive than is (source document 004).

    At 1:1 the F1-optimal threshold of any model with AUC < 0.74 does this, a healthy one's too
    so the finding is then marked as implied by the data.
    """

    id = "loose_boundary"
    mark = "b"
    order = 60
    condition_text = "recall > 0.8 and precision < 0.6"
    severity = "documented"
    source = documents("004")
    advice = "raise AUC first; at a fixed AUC choose the threshold by the cost of a false positive, not by F1"
    limits: ClassVar[Mapping[str, float]] = {"loose_boundary": 0.8, "loose_boundary.precision": 0.6}

    def measure(self, units: Units) -> Readings:
        return units.cells(["recall", "precision"], optional=["prevalence", "auc"])

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        recall, limit = values["recall"], limits[self.id]
        loose = (recall > limit) & (values["precision"] < limits["loose_boundary.precision"])
        return Broken(recall, limit, loose)

    def evidence(self, reading: Reading) -> str:
        recall, precision = reading.values["recall"], reading.values["precision"]
        ratio = recall / precision if precision > 0 else float("inf")
        text = f"recall {recall:.3f}, precision {precision:.3f}: {ratio:.2f} called positive per positive"
        if self.implied(reading):
            text += f"; implied by the data: at 1:1 every model with AUC < {_IMPLIED_AUC} does this"
        return text

    def implied(self, reading: Reading) -> bool:
        prevalence, auc = reading.values.get("prevalence", 0.0), reading.values.get("auc", 1.0)
        return _BALANCED[0] <= prevalence <= _BALANCED[1] and auc < _IMPLIED_AUC
