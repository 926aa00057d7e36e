"""Rule not_learning."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from analysis.rules.chance import (
    CHANCE,
    HEALTHY,
    KNOWS_NOTHING,
    POWER,
    chance_readings,
    lines_of,
    underpowered,
)
from analysis.rules.ended import at_the_end, last_epoch, untrained
from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.table import Floats, Mask, Table
from analysis.rules.units import Units


@register
class NotLearning(Rule):
    """A unit that has ended, after 100 steps at least, without having learnt, in one of two ways.

    Loss: the task's loss over the last three epochs is not below that of the first one. Chance: the interval of the unseen
    AUC, which is 0.5 where AUPR is the prevalence, contains 0.5 and ends below 0.60, or ends below 0.55 as one of any
    number of resampled pairs may; where the pairs could not have shown an AUC of 0.60 either (`analysis.rules.chance`) this
    clause is not evaluated: underpowered. Judged are the weights that are reported.
    """

    id = "not_learning"
    mark = "N"
    order = 110
    condition_text = "the task's loss does not fall, or the unseen AUC is that of chance and not 0.60"
    severity = "fault"
    source = "definitions, Prevalence"
    advice = "raise optimiser.lr or the epochs, and look whether a baseline finds anything in these pairs"
    limits: ClassVar[Mapping[str, float]] = {
        "not_learning": 0.0,
        "not_learning.auc": HEALTHY,
        "not_learning.chance": KNOWS_NOTHING,
    }
    """Fall of the loss, relative to the first epoch's, that is too little; AUC that has to be possible; AUC below which
    nothing is known, even where it is no accident."""
    window = 3

    def measure(self, units: Units) -> Readings:
        lacks = untrained(units)
        losses, chance = _losses(units), chance_readings(units)
        lacks.append(
            (
                "values of the term task of the table terms, and AUC of the unseen pairs",
                ~losses.has(units.count) & ~chance.has(units.count),
            )
        )
        return at_the_end(units, losses, lacks).joined(at_the_end(units, chance, lacks))

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        fall, upper = values["fall"], values["upper"]
        still = fall <= limits[self.id]
        unlike = (values["lower"] > CHANCE) & (upper >= limits["not_learning.chance"])
        chance = (values["power"] >= POWER) & ~unlike & (upper < limits["not_learning.auc"])
        return Broken(
            np.where(np.isnan(fall), upper, fall),
            np.where(np.isnan(fall), limits["not_learning.auc"], limits[self.id]),
            still | chance,
        )

    def evidence(self, reading: Reading) -> str:
        values = reading.values
        if "fall" in values:
            return f"the task's loss was {values['first']:.4g} in the first epoch and {values['last']:.4g} in the last ones"
        return (
            f"AUC {values['auc']:.3f} over {lines_of(values)} has the 95 % interval "
            f"{values['lower']:.3f} to {values['upper']:.3f}: chance, and not {reading.limits['not_learning.auc']:g}"
        )

    def lacking(self, readings: Readings) -> Mapping[int, str]:
        """Units of which one clause alone was judged, and why."""
        of_loss = set(readings.unit[~np.isnan(readings.values["fall"])].tolist())
        missing = dict.fromkeys(sorted(of_loss), "AUC of the unseen pairs, for its clause on chance")
        # The reported weights come last, and decide.
        for at in np.flatnonzero(~np.isnan(readings.values["power"])).tolist():
            unit = int(readings.unit[at])
            numbers = {name: float(column[at]) for name, column in readings.values.items()}
            if unit not in of_loss:
                missing[unit] = "values of the term task of the table terms, for its clause on the loss"
            elif numbers["power"] >= POWER:
                missing.pop(unit, None)
            else:
                missing[unit] = underpowered(numbers, "the loss")
        return dict(sorted(missing.items()))

    def remembered(self, units: Units) -> Mapping[str, Mask]:
        task = units.terms.equals("term", "task") & ~np.isnan(units.terms.numbers("value"))
        first = np.zeros(len(units.terms), dtype=bool)
        first[np.flatnonzero(task)[:1]] = True
        return {"terms": first}


def _losses(units: Units) -> Readings:
    """The task's loss of the first epoch and of the last three, and by how much of the former it fell."""
    rows = units.terms
    rows = rows.where(rows.equals("term", "task") & ~np.isnan(rows.numbers("value")))
    last = last_epoch(units)
    late = rows.where(rows.numbers("epoch") > last[rows.unit] - NotLearning.window)
    with np.errstate(invalid="ignore", divide="ignore"):
        ends = _mean(units, late)
        begins = _mean(units, rows.where(rows.numbers("epoch") == _earliest(units, rows)[rows.unit]))
        fall = 1 - ends / begins
    at = np.flatnonzero(np.isfinite(fall))
    values = {"first": begins[at], "last": ends[at], "fall": fall[at]}
    return Readings.of_units(at, last[at], values)


def _mean(units: Units, rows: Table) -> Floats:
    count = np.bincount(rows.unit, minlength=units.count)
    total = np.bincount(rows.unit, weights=rows.numbers("value"), minlength=units.count).astype(np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _earliest(units: Units, rows: Table) -> Floats:
    first = np.full(units.count, np.inf)
    np.minimum.at(first, rows.unit, rows.numbers("epoch"))
    return first
