"""Rule shortcut."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from analysis.rules.chance import KNOWS_NOTHING, UNTOLD, chance_readings, lines_of
from analysis.rules.ended import NOTHING, powered_at_the_end, untrained
from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.table import Floats
from analysis.rules.units import Units
from analysis.schema import MACRO, POOLED

_PROMOTER = "promoter_"
"""Begins the names of the baselines that see the promoter alone."""


@register
class Shortcut(Rule):
    """The unit is not better than the best baseline that sees the promoter alone, on the same fold, by AUC over unseen
    cell lines weighted by pairs (data report). Where the pairs could not tell an AUC of 0.60 from 0.5, it is not
    evaluated: underpowered; where that baseline's AUC is below 0.55 there is no shortcut to take, and nothing to judge.

    Baselines belong to a run: a trial that runs does not have them, the analysis judges.
    """

    id = "shortcut"
    mark = "x"
    order = 220
    condition_text = "not better than the promoter-only baseline"
    severity = "fault"
    source = "definitions, Folds"
    advice = "compare with the pair baselines: as they are no better either, these pairs hold nothing beyond the promoter"
    limits: ClassVar[Mapping[str, float]] = {"shortcut": 0.0}
    """The lead over the baseline, in AUC, that is too little."""

    def measure(self, units: Units) -> Readings:
        baseline = _best_of_promoter(units)
        chance = chance_readings(units)
        unit = chance.unit
        chance = chance.with_values(
            {"baseline": baseline[unit], "lead": chance.values["auc"] - baseline[unit]}
        )
        none = baseline < KNOWS_NOTHING
        lacks = [
            ("rows of a promoter-only baseline in the table baselines", np.isnan(baseline)),
            (f"{NOTHING}: no promoter-only baseline has an AUC of {KNOWS_NOTHING:g}", none),
            *untrained(units),
            ("AUC, recall and precision of the unseen pairs", ~chance.has(units.count)),
        ]
        return powered_at_the_end(units, chance, lacks, UNTOLD)

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        lead, limit = values["lead"], limits[self.id]
        return Broken(lead, limit, lead <= limit)

    def evidence(self, reading: Reading) -> str:
        values = reading.values
        return (
            f"AUC {values['auc']:.3f} over {lines_of(values)}, the best promoter-only baseline "
            f"{values['baseline']:.3f}"
        )


def _best_of_promoter(units: Units) -> Floats:
    """Best AUC of a promoter-only baseline [units], over unseen cell lines weighted by pairs; NaN without one."""
    rows = units.baselines
    code, names = rows.texts("baseline")
    best = np.full(units.count, np.nan)
    line = (
        ~rows.equals("cell_line", MACRO) & ~rows.equals("cell_line", POOLED) & ~np.isnan(rows.numbers("auc"))
    )
    if rows.has("split"):
        line &= rows.equals("split", "val_unseen")
    for at, name in enumerate(names):
        if not name.startswith(_PROMOTER):
            continue
        part = rows.where(line & (code == at))
        pairs = np.bincount(part.unit, weights=part.numbers("n"), minlength=units.count)
        total = np.bincount(part.unit, weights=part.numbers("n") * part.numbers("auc"), minlength=units.count)
        best = np.fmax(best, np.where(pairs > 0, total / np.maximum(pairs, 1), np.nan))
    return best
