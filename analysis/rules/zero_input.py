"""Rule zero_input."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from analysis.rules.chance import CHANCE, HEALTHY, UNTOLD, chance_readings, lines_of
from analysis.rules.ended import powered_at_the_end, untrained
from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.table import Floats
from analysis.rules.units import Units


@register
class ZeroInput(Rule):
    """The reported weights rank unseen pairs no better than with every sequence, of support sets too, replaced by null
    tokens: the 95 % interval of the lead in AUC contains 0 and ends below 0.1.

    AUC is the mean over unseen cell lines weighted by pairs, its interval that of Hanley and McNeil, widened by the design
    effect of 2 Mb loci. Pairs that could not have shown a lead of 0.1 are not evaluated: underpowered.
    """

    id = "zero_input"
    mark = "Z"
    order = 115
    condition_text = (
        "unseen AUC no better than with null tokens in place of the sequences, and no lead of 0.1"
    )
    severity = "fault"
    source = "definitions, Shortcut baselines"
    advice = "look whether the encoder gets a gradient: what it scores comes from the cell line and its support set alone"
    limits: ClassVar[Mapping[str, float]] = {"zero_input": HEALTHY - CHANCE}
    """Lead in AUC over null tokens that has to be possible."""

    def measure(self, units: Units) -> Readings:
        chance = chance_readings(units)
        known = chance.at(~np.isnan(chance.values["auc_null"]))
        lacks = [
            *untrained(units),
            ("auc_null of the unseen pairs in the table cells", ~known.has(units.count)),
        ]
        return powered_at_the_end(units, known, lacks, UNTOLD)

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        lead, limit = values["upper"] - values["auc_null"], limits[self.id]
        return Broken(lead, limit, (values["lower"] <= values["auc_null"]) & (lead < limit))

    def evidence(self, reading: Reading) -> str:
        values = reading.values
        return (
            f"AUC {values['auc']:.3f} over {lines_of(values)}, {values['auc_null']:.3f} with null "
            f"tokens in place of the sequences; the lead's upper 95 % bound is {values['upper'] - values['auc_null']:.3f}"
        )
