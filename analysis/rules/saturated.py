"""Rule saturated."""

from collections.abc import Mapping
from typing import ClassVar

from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.sources import documents
from analysis.rules.table import Floats
from analysis.rules.units import Units


@register
class Saturated(Rule):
    """More than half of the unseen pairs have abs(logit) > 6, a probability beyond 0.9975: gradients vanish there and no
    calibration can be read (source document 003)."""

    id = "saturated"
    mark = "S"
    order = 130
    condition_text = "more than half of abs(logit) > 6, pooled or any cell line"
    severity = "hint"
    source = documents("003")
    advice = "raise the temperature or its penalty, weight decay, or the calibration of U_I"
    limits: ClassVar[Mapping[str, float]] = {"saturated": 0.5}

    def measure(self, units: Units) -> Readings:
        return units.cells(["saturated"])

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        share, limit = values["saturated"], limits[self.id]
        return Broken(share, limit, share > limit)

    def evidence(self, reading: Reading) -> str:
        return f"{reading.values['saturated']:.0%} of the pairs have abs(logit) > 6"
