"""Rule over_capacity."""

from collections.abc import Mapping
from typing import ClassVar

from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.sources import documents
from analysis.rules.table import Floats
from analysis.rules.units import Units


@register
class OverCapacity(Rule):
    """More than 10 parameters per training pair (source document 004).

    Known before the first step, so it is marked as implied by the sizes: no training result is judged by it.
    """

    id = "over_capacity"
    mark = "p"
    order = 70
    condition_text = "parameters / training pairs > 10"
    severity = "documented"
    source = documents("004")
    advice = "a smaller k-mer embedding or width, shared sides, or more cell lines"
    limits: ClassVar[Mapping[str, float]] = {"over_capacity": 10.0}

    def measure(self, units: Units) -> Readings:
        values = {name: units.unit_rows.numbers(name) for name in ("parameters", "train_pairs")}
        lacks = [(f"{name} of the table units", ~(column > 0)) for name, column in values.items()]
        return units.before_training(values, lacks)

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        ratio, limit = values["parameters"] / values["train_pairs"], limits[self.id]
        return Broken(ratio, limit, ratio > limit)

    def evidence(self, reading: Reading) -> str:
        parameters, pairs = reading.values["parameters"], reading.values["train_pairs"]
        return f"{parameters:,.0f} parameters for {pairs:,.0f} training pairs; known before training"

    def implied(self, reading: Reading) -> bool:
        return True
