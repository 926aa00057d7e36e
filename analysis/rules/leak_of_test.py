"""Rule test_leak."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.sources import documents
from analysis.rules.table import Floats
from analysis.rules.units import Units

_BRANCH = "branch_select"


@register
class TestLeak(Rule):
    """Something is chosen on test (source document 000): the branch of every cell line (predict.mode branch_select), or
    configuration and epoch (an objective on test). Thresholds are always chosen on validation. Known before training."""

    id = "test_leak"
    mark = "L"
    order = 210
    condition_text = "threshold, branch or configuration chosen on test"
    severity = "fault"
    source = documents("000")
    advice = "predict.mode: unified and an objective on val_unseen; a test score that was chosen on test measures nothing"
    limits: ClassVar[Mapping[str, float]] = {"test_leak": 0.0}
    """Things that may be chosen on test."""

    def measure(self, units: Units) -> Readings:
        modes = units.settings("predict.mode")
        code, objectives = units.unit_rows.texts("objective")
        on_test = np.array([*(text.split("/")[0] == "test" for text in objectives), False])[code]
        values = {
            "branch": np.array([each == _BRANCH for each in modes], dtype=np.float64),
            "objective": on_test.astype(np.float64),
        }
        lacks = [
            (
                "predict.mode in config_json of the table units",
                np.array([each is None for each in modes], dtype=bool),
            ),
            ("objective of the table units", code < 0),
        ]
        return units.before_training(values, lacks)

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        chosen, limit = values["branch"] + values["objective"], limits[self.id]
        return Broken(chosen, limit, chosen > limit)

    def evidence(self, reading: Reading) -> str:
        chosen = {
            f"the branch of every cell line (predict.mode {_BRANCH})": reading.values["branch"],
            "configuration and epoch (the objective)": reading.values["objective"],
        }
        return f"chosen on test: {', '.join(what for what, is_chosen in chosen.items() if is_chosen)}"
