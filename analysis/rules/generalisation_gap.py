"""Rule generalisation_gap."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.sources import documents
from analysis.rules.table import Floats, codes, last_of_each, paired
from analysis.rules.units import Units
from analysis.schema import MACRO, POOLED


@register
class GeneralisationGap(Rule):
    """Train macro AUPR minus unseen AUPR above 0.2, macro and for every unseen cell line (source document 004).

    Judged on val_unseen; the gap to test stands in the evidence only.
    """

    id = "generalisation_gap"
    mark = "g"
    order = 20
    condition_text = "train AUPR - unseen AUPR > 0.2, macro or any cell line"
    severity = "documented"
    source = documents("004")
    advice = (
        "stop earlier, regularise, or compare with promoter-only: the gap may be new loci, not new cell lines"
    )
    limits: ClassVar[Mapping[str, float]] = {"generalisation_gap": 0.2}

    def measure(self, units: Units) -> Readings:
        train, rows = units.series("train_aupr"), units.unseen
        measured = units.having(rows) & rows.has("aupr")
        lacks = [
            ("train_aupr of the table epochs", ~train.has(units.count)),
            ("AUPR rows of split val_unseen in the table cells", ~measured),
            ("an epoch with both train AUPR and AUPR of val_unseen", measured),
        ]
        rows = rows.where(~np.isnan(rows.numbers("aupr")) & ~rows.equals("cell_line", POOLED))
        at = paired((train.unit, train.epoch), (rows.unit, rows.numbers("epoch")))
        values = {
            "train": np.append(train.values["train_aupr"], np.nan)[at],
            "unseen": rows.numbers("aupr"),
        }
        readings = Readings.of_lines(rows, values, lacks)
        readings = readings.with_values(
            {"test": np.where(readings.final, _test_macro(units)[rows.unit], np.nan)}
        )
        readings = readings.at(at >= 0)
        series = codes(readings.unit, readings.epoch, readings.final, readings.scope)
        return readings.at(last_of_each(series))

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        gap, limit = values["train"] - values["unseen"], limits[self.id]
        return Broken(gap, limit, gap > limit)

    def evidence(self, reading: Reading) -> str:
        train, unseen = reading.values["train"], reading.values["unseen"]
        text = f"train AUPR {train:.3f}, unseen {unseen:.3f} {reading.when}"
        if "test" in reading.values:
            text += f"; gap to test (macro, reporting only) {train - reading.values['test']:.3f}"
        return text


def _test_macro(units: Units) -> Floats:
    """Macro AUPR on test of the reported weights [units], NaN where there is none."""
    rows = units.test
    rows = rows.where(rows.equals("cell_line", MACRO) & ~np.isnan(rows.numbers("aupr")))
    order = np.argsort(rows.numbers("epoch"), kind="stable")
    macro = np.full(units.count, np.nan)
    macro[rows.unit[order]] = rows.numbers("aupr")[order]
    return macro
