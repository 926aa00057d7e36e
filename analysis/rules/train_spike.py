"""Rule train_spike."""

from collections.abc import Mapping
from typing import ClassVar

from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.sources import documents
from analysis.rules.table import Floats
from analysis.rules.units import Units

_EARLY = 2.0
"""Epochs that are the first ones."""


@register
class TrainSpike(Rule):
    """Train AUPR of 0.85 or more within the first two epochs: something gives the training labels away (document 000)."""

    id = "train_spike"
    mark = "t"
    order = 15
    condition_text = "train AUPR >= 0.85 within the first two epochs"
    severity = "documented"
    source = documents("000")
    advice = "look for what gives labels away: support labels, repeated pairs, a cell line's name; then lower optimiser.lr"
    limits: ClassVar[Mapping[str, float]] = {"train_spike": 0.85, "train_spike.epochs": _EARLY}
    lasting = False

    def measure(self, units: Units) -> Readings:
        series = units.series("train_aupr")
        early = series.at(series.epoch <= _EARLY).has(units.count)
        lacks = [("train_aupr of the first two epochs in the table epochs", ~early)]
        return series.at(early[series.unit]).with_values({"epoch": series.epoch[early[series.unit]]}, lacks)

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        value, limit = values["train_aupr"], limits[self.id]
        return Broken(value, limit, (value >= limit) & (values["epoch"] <= limits["train_spike.epochs"]))

    def evidence(self, reading: Reading) -> str:
        return f"train AUPR {reading.values['train_aupr']:.3f} at epoch {reading.epoch} already"
