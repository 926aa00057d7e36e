"""Rule negative_loss."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.sources import documents
from analysis.rules.table import Floats, paired
from analysis.rules.units import Units


@register
class NegativeLoss(Rule):
    """Total training loss below 0 at any epoch: a term is being won by running off to infinity (source document 004)."""

    id = "negative_loss"
    mark = "n"
    order = 80
    condition_text = "total loss < 0"
    severity = "documented"
    source = documents("004")
    advice = "look at the terms table for the one that is negative, and lower its weight or bound it"
    limits: ClassVar[Mapping[str, float]] = {"negative_loss": 0.0}
    lasting = False

    def measure(self, units: Units) -> Readings:
        losses = units.series("loss")
        weighted = units.terms.numbers("weighted")
        negative = np.flatnonzero(weighted < 0)
        # The lowest term of an epoch comes last.
        negative = negative[np.argsort(-weighted[negative], kind="stable")]
        of_terms = (units.terms.unit[negative], units.terms.numbers("epoch")[negative])
        at = paired(of_terms, (losses.unit, losses.epoch))
        return losses.with_values({"lowest_term": np.append(weighted[negative], np.nan)[at]})

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        loss, limit = values["loss"], limits[self.id]
        return Broken(loss, limit, loss < limit)

    def evidence(self, reading: Reading) -> str:
        text = f"total loss {reading.values['loss']:.4g} {reading.when}"
        if "lowest_term" in reading.values:
            text += f"; the lowest weighted term is {reading.values['lowest_term']:.4g}"
        return text
