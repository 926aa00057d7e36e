"""Rule support_labels."""

import json
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from analysis.rules.columns import Readings, RunColumns
from analysis.rules.records import UnitRecords
from analysis.rules.rule import NotEvaluated, Reading, Rule, Violation


class SupportLabels(Rule):
    """The support sets carry labels in training, which prediction never has (definitions, Support and query; seed 001).

    Read from the resolved configuration, so it is known before the first step.
    """

    id = "support_labels"
    mark = "s"
    condition_text = "support.labels: true"
    severity = "hint"
    source = "definitions, Support and query; seed 001"
    advice = "compare with support.labels: false on val_unseen: R_E must be readable without labels there"
    limits: ClassVar[dict[str, float]] = {"support_labels": 0.0}

    def measure(self, unit: UnitRecords) -> list[Reading] | NotEvaluated:
        labels = _labels(unit.trial.get("config_json"))
        return labels if isinstance(labels, NotEvaluated) else [Reading({"labels": labels}, None)]

    def condition(self, reading: Reading, limits: Mapping[str, float]) -> Violation | None:
        labels, limit = reading.values["labels"], limits[self.id]
        if labels <= limit:
            return None
        return Violation(labels, limit, "support.labels is true; known before training")

    def columns(self, run: RunColumns) -> Readings:
        texts = run.trials["config_json"]
        known = {text: _labels(text) for text in texts.dropna().unique()}
        read = {text: value for text, value in known.items() if not isinstance(value, NotEvaluated)}
        labels = texts.map(read).to_numpy(dtype=float, na_value=np.nan)
        return run.before_training({"labels": labels}, ~np.isnan(labels))

    def excess(self, values: Mapping[str, np.ndarray], limits: Mapping[str, float]) -> np.ndarray:
        over = values["labels"] - limits[self.id]
        return np.where(over > 0, over, np.nan)


def _labels(text: object) -> float | NotEvaluated:
    """Whether support sets carry labels, 0 or 1, by the resolved configuration."""
    content = json.loads(text) if isinstance(text, str) and text else None
    if not isinstance(content, dict):
        return NotEvaluated("config_json of the table trials")
    support = content.get("support")
    if not isinstance(support, dict) or "labels" not in support:
        return NotEvaluated("support.labels in config_json of the table trials")
    return float(bool(support["labels"]))
