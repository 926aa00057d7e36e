"""Rule support_labels."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.sources import documents
from analysis.rules.table import Floats
from analysis.rules.units import Units

_WHERE = "config_json of the table units"


@register
class SupportLabels(Rule):
    """The support sets carry labels in training, which prediction never has (definitions, Support and query; document 001).

    Read from the resolved configuration, so it is known before the first step.
    """

    id = "support_labels"
    mark = "s"
    order = 90
    condition_text = "support.labels: true"
    severity = "hint"
    source = f"definitions, Support and query; {documents('001')}"
    advice = "compare with support.labels: false on val_unseen: R_E must be readable without labels there"
    limits: ClassVar[Mapping[str, float]] = {"support_labels": 0.0}

    def measure(self, units: Units) -> Readings:
        said = units.settings("support.labels")
        labels = np.array([np.nan if each is None else float(bool(each)) for each in said])
        lacks = [(_WHERE, ~units.configured), (f"support.labels in {_WHERE}", np.isnan(labels))]
        return units.before_training({"labels": labels}, lacks)

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        labels, limit = values["labels"], limits[self.id]
        return Broken(labels, limit, labels > limit)

    def evidence(self, reading: Reading) -> str:
        return "support.labels is true; known before training"
