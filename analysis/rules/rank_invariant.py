"""Rule rank_invariant."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from analysis.rules.ended import NO_ENVIRONMENT, NOTHING
from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.table import Floats
from analysis.rules.units import Units, unseen_lines
from analysis.schema import MACRO, POOLED

_RANKING = ("aupr", "auc", "aupr_lift")


@register
class RankInvariant(Rule):
    """The objective ranks the pairs of one cell line, and the environment cannot change their order.

    `rank_invariant` of the table units is measured at the end of a unit; the energy form and the scope imply it. A unit
    without an environment, and an objective of a likelihood or of the pooled pairs of several unseen cell lines, expect no
    such gain: nothing to judge.
    """

    id = "rank_invariant"
    mark = "r"
    order = 180
    condition_text = "a per-cell gain was expected where none is possible"
    severity = "hint"
    source = "definitions, Energies"
    advice = "choose by val_unseen/pooled/aupr over two unseen lines or more, or give R_E or T the scope of a sample"
    limits: ClassVar[Mapping[str, float]] = {"rank_invariant": 0.0}

    def measure(self, units: Units) -> Readings:
        invariant = units.unit_rows.numbers("rank_invariant")
        code, objectives = units.unit_rows.texts("objective")
        expects = np.array([*map(_per_cell, objectives), False])[code]
        expects |= np.array([*map(_pooled, objectives), False])[code] & (unseen_lines(units) == 1)
        source = units.settings("environment.source")
        lacks = [
            (
                "environment.source in config_json of the table units",
                np.array([each is None for each in source], dtype=bool),
            ),
            (NO_ENVIRONMENT, np.array([each == "none" for each in source], dtype=bool)),
            ("objective of the table units", code < 0),
            (f"{NOTHING}: the objective ranks no pairs of one cell line", ~expects),
            ("rank_invariant of the table units (the unit has not ended)", np.isnan(invariant)),
        ]
        return units.before_training({"invariant": invariant}, lacks)

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        invariant, limit = values["invariant"], limits[self.id]
        return Broken(invariant, limit, invariant > limit)

    def evidence(self, reading: Reading) -> str:
        return "within a cell line the score rises with U_I, so that its AUPR is that of U_I alone; implied by the energy"

    def implied(self, reading: Reading) -> bool:
        return True


def _pooled(objective: str) -> bool:
    parts = objective.split("/")
    return POOLED in parts and parts[-1] in _RANKING


def _per_cell(objective: str) -> bool:
    parts = objective.split("/")
    return MACRO in parts and parts[-1] in _RANKING
