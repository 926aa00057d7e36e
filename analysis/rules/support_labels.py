"""Rule support_labels."""

import json
from collections.abc import Mapping
from typing import ClassVar

from analysis.rules.records import UnitRecords
from analysis.rules.rule import NotEvaluated, Reading, Rule, Violation


class SupportLabels(Rule):
    """The support sets carry labels in training, which prediction never has (09-definitions, seed 001).

    Read from the resolved configuration, so it is known before the first step.
    """

    id = "support_labels"
    mark = "s"
    condition_text = "support.labels: true"
    severity = "hint"
    source = "09-definitions, seed 001"
    advice = "compare with support.labels: false on val_unseen: R_E must be readable without labels there"
    limits: ClassVar[dict[str, float]] = {"support_labels": 0.0}

    def measure(self, unit: UnitRecords) -> list[Reading] | NotEvaluated:
        text = unit.trial.get("config_json")
        content = json.loads(text) if text else None
        if not isinstance(content, dict):
            return NotEvaluated("config_json of the table trials")
        support = content.get("support")
        if not isinstance(support, dict) or "labels" not in support:
            return NotEvaluated("support.labels in config_json of the table trials")
        return [Reading({"labels": float(bool(support["labels"]))}, None)]

    def condition(self, reading: Reading, limits: Mapping[str, float]) -> Violation | None:
        labels, limit = reading.values["labels"], limits[self.id]
        if labels <= limit:
            return None
        return Violation(labels, limit, "support.labels is true; known before training")
