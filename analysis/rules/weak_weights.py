"""Rule weak_weights."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from analysis.rules.ended import NOTHING
from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.sources import documents
from analysis.rules.table import Floats, Mask
from analysis.rules.units import Units

_TASK = "loss.task"


@register
class WeakWeights(Rule):
    """Every weight of a loss term beside the task below 0.5 (document 004: of regularisation that acts, at least one).

    Read from the resolved configuration, so that a ramp does not count, and implied by it. A unit of the task alone
    regularises nothing: nothing to judge.
    """

    id = "weak_weights"
    mark = "w"
    order = 150
    condition_text = "every regularisation weight below 0.5"
    severity = "documented"
    source = documents("004")
    advice = "compare with one regularisation of weight 0.5 or more; gradient shares in the table terms say which is felt"
    limits: ClassVar[Mapping[str, float]] = {"weak_weights": 0.5}

    def measure(self, units: Units) -> Readings:
        rows = units.terms
        code, paths = rows.texts("weight_key")
        largest, count = np.full(units.count, -np.inf), np.zeros(units.count)
        for key, path in enumerate(paths):
            having = units.having(rows.where(code == key))
            if path == _TASK or not having.any():
                continue
            weights = np.array([np.nan if each is None else float(each) for each in units.settings(path)])
            known = having & (weights > 0)
            largest[known] = np.maximum(largest[known], weights[known])
            count += known
        alone = (f"{NOTHING}: no loss term beside the task", count == 0)
        lacks: list[tuple[str, Mask]] = [
            ("config_json of the table units", ~units.configured),
            ("rows of the table terms", ~units.having(rows)),
            ("weight_key of the table terms", ~units.having(rows.where(code >= 0))),
            alone,
        ]
        return units.before_training({"weight": largest, "terms": count}, lacks)

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        weight, limit = values["weight"], limits[self.id]
        return Broken(weight, limit, weight < limit)

    def evidence(self, reading: Reading) -> str:
        weight, terms = reading.values["weight"], reading.values["terms"]
        return f"the largest weight of {terms:.0f} loss terms beside the task is {weight:.3g}; known before training"

    def implied(self, reading: Reading) -> bool:
        return True
