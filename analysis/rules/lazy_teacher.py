"""Rule lazy_teacher."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from analysis.rules.chance import UNDERPOWERED
from analysis.rules.ended import NOTHING, at_the_end, last_epoch, untrained
from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.sources import documents
from analysis.rules.table import Floats, Mask, Table, paired
from analysis.rules.units import Units

_TERM = "distillation"
_GROWN = 300
"""Optimiser steps before which R_S is small because it began so: R_T is a number per cell line, which grows at once."""
_GROWS = 3.0
"""Share of R_T's variance in the last epoch over the largest of any earlier one, above which R_S is still growing."""


@register
class LazyTeacher(Rule):
    """The Student learns nothing of its Teacher (document 002): R_S varies over lines by less than 5 % of R_T's variance,
    and the distillation is not below what it was in its first epoch.

    Variances are over the episodes of a step, means over an epoch; judged at the end of a unit, after 300 steps: of healthy
    units R_S passes 5 % about the 200th, and until then the distillation rises with R_T. When that is differs by hundreds
    of steps between seeds, and it takes few of them from a thousandth of R_T's variance to all of it: a unit whose share
    is in the last epoch below 5 % and more than threefold that of every earlier one ended while its Student was learning,
    and is not judged. One that has come to 5 % is not lazy, whether it goes on growing or not.
    """

    id = "lazy_teacher"
    mark = "y"
    order = 240
    condition_text = (
        "variance of R_S over cell lines < 5 % of R_T's, not growing, and the distillation does not fall"
    )
    severity = "fault"
    source = documents("002")
    advice = "raise loss.distillation.weight or the support sets' size; nothing else tells what R_T knows"
    limits: ClassVar[Mapping[str, float]] = {"lazy_teacher": 0.05}

    def measure(self, units: Units) -> Readings:
        rows = units.epochs
        terms = units.terms
        terms = terms.where(terms.equals("term", _TERM) & ~np.isnan(terms.numbers("value")))
        said = units.settings(f"loss.{_TERM}.weight")
        configured = np.array([(each or 0) > 0 for each in said], dtype=bool)
        first = np.full(units.count, np.nan)
        first[terms.unit[::-1]] = terms.numbers("value")[::-1]
        at = paired((terms.unit, terms.numbers("epoch")), (rows.unit, rows.numbers("epoch")))
        now = np.append(terms.numbers("value"), np.nan)[at]
        ratio = _ratio(rows)
        known = ~np.isnan(ratio) & ~np.isnan(now)
        values = {"ratio": ratio, "first": first[rows.unit], "now": now}
        readings = Readings.of_units(
            rows.unit[known],
            rows.numbers("epoch")[known],
            {name: column[known] for name, column in values.items()},
        )
        lacks = [
            ("config_json of the table units", ~units.configured),
            (f"{NOTHING}: no distillation is configured", ~configured),
            *untrained(units, _GROWN),
            (
                f"{UNDERPOWERED}: R_S was still growing when the unit ended",
                _growing(units, ratio, self.limits[self.id]),
            ),
            (
                "student_var and teacher_var of the table epochs, and the term distillation",
                ~readings.at(readings.epoch == last_epoch(units)[readings.unit]).has(units.count),
            ),
        ]
        return at_the_end(units, readings, lacks)

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        ratio, limit = values["ratio"], limits[self.id]
        return Broken(ratio, limit, (ratio < limit) & (values["now"] >= values["first"]))

    def evidence(self, reading: Reading) -> str:
        values = reading.values
        return (
            f"variance of R_S over cell lines is {values['ratio']:.2g} of R_T's; distillation was {values['first']:.3g} "
            f"in its first epoch and is {values['now']:.3g}"
        )

    def remembered(self, units: Units) -> Mapping[str, Mask]:
        rows = units.terms
        first = np.zeros(len(rows), dtype=bool)
        first[np.flatnonzero(rows.equals("term", _TERM) & ~np.isnan(rows.numbers("value")))[:1]] = True
        ratio = np.nan_to_num(_ratio(units.epochs), nan=-1.0)
        largest = np.zeros(len(ratio), dtype=bool)
        largest[np.argmax(ratio) : np.argmax(ratio) + 1 if len(ratio) else 0] = True
        return {"terms": first, "epochs": largest}


def _ratio(epochs: Table) -> Floats:
    """Variance of R_S over that of R_T of every epoch, NaN where either is not known."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(epochs.numbers("student_var") / epochs.numbers("teacher_var"))


def _growing(units: Units, ratio: Floats, enough: float) -> Mask:
    """Units [units] of several epochs whose ratio in the last is below `enough`, and more than _GROWS times the largest of
    the others."""
    rows = units.epochs
    last = rows.numbers("epoch") == last_epoch(units)[rows.unit]
    now, before = np.full((2, units.count), np.nan)
    np.fmax.at(now, rows.unit[last], ratio[last])
    np.fmax.at(before, rows.unit[~last], ratio[~last])
    return np.asarray((now > _GROWS * before) & (now < enough))
