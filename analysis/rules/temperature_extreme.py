"""Rule temperature_extreme."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.sources import documents
from analysis.rules.table import Floats
from analysis.rules.units import Units

_LOW = "temperature_extreme.low"


@register
class TemperatureExtreme(Rule):
    """Temperature below 0.1 or above 10 (documents 003, 004): U_I / T lost its scale. Per cell line it is their mean."""

    id = "temperature_extreme"
    mark = "T"
    order = 140
    condition_text = "T outside 0.1 to 10"
    severity = "hint"
    source = documents("003", "004")
    advice = "keep T between 0.5 and 2: raise temperature.penalty, or calibrate U_I, whose scale T undoes"
    limits: ClassVar[Mapping[str, float]] = {"temperature_extreme": 10.0, _LOW: 0.1}

    def measure(self, units: Units) -> Readings:
        return units.series("temperature")

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        value, high, low = values["temperature"], limits[self.id], limits[_LOW]
        return Broken(value, np.where(value < low, low, high), (value < low) | (value > high))

    def evidence(self, reading: Reading) -> str:
        return f"T = {reading.values['temperature']:.3g} at epoch {reading.epoch}"
