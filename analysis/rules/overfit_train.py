"""Rule overfit_train."""

from collections.abc import Mapping
from typing import ClassVar

from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.sources import documents
from analysis.rules.table import Floats
from analysis.rules.units import Units


@register
class OverfitTrain(Rule):
    """Train AUPR above 0.95 at any epoch: the training pairs are being memorised (source document 004)."""

    id = "overfit_train"
    mark = "o"
    order = 10
    condition_text = "train AUPR > 0.95"
    severity = "documented"
    source = documents("004")
    advice = "fewer epochs or parameters, more dropout or weight decay; compare the best epoch on val_unseen"
    limits: ClassVar[Mapping[str, float]] = {"overfit_train": 0.95}
    lasting = False

    def measure(self, units: Units) -> Readings:
        return units.series("train_aupr")

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        value, limit = values["train_aupr"], limits[self.id]
        return Broken(value, limit, value > limit)

    def evidence(self, reading: Reading) -> str:
        return f"train AUPR {reading.values['train_aupr']:.3f} {reading.when}"
