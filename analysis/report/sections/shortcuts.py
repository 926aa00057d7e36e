"""What the data give away without a model: the baselines on the same pairs."""

import math
from collections.abc import Sequence
from typing import ClassVar

from analysis.criteria import CRITERIA
from analysis.report.content import Block, Cell, Paragraph, RowTable
from analysis.report.material import Material, number, signed
from analysis.report.section import Section


class Shortcuts(Section):
    """Each baseline, what it sees, and how far the first configuration is above it."""

    key: ClassVar[str] = "shortcuts"

    def blocks(self, material: Material) -> Sequence[Block] | None:
        text, ranking = material.texts, material.ranking
        by, known = ranking.by, ranking.baselines
        if known.empty:
            return None
        notes = material.run.table("baselines").dropna(subset=["note"]).drop_duplicates("baseline")
        sees = dict(zip(notes["baseline"], notes["note"], strict=True))
        best = float(material.rows["value"].iloc[0])
        others = [each for each in CRITERIA.values() if each.key != by.key]
        headings = [
            text("shortcuts.baseline"),
            text.said(by.label),
            text("shortcuts.lead"),
            *(text.said(each.label) for each in others),
        ]
        rows = []
        passed = 0
        for row in known.to_dict("records"):
            lead = by.gain(best - row[by.key])
            passed += lead > 0
            style = "" if math.isnan(lead) or lead > 0 else "verdict worse"
            cells = [
                Cell(row["baseline"], text.said(str(sees.get(row["baseline"], ""))), "name"),
                Cell(number(row[by.key]), style="lead"),
                Cell(signed(lead), style=style),
                *(Cell(number(row[each.key])) for each in others),
            ]
            rows.append(cells)
        values = {"value": number(best), "criterion": by.label, "passed": passed, "of": len(known)}
        key = "shortcuts.above_all" if passed == len(known) else "shortcuts.above_some"
        said = Paragraph(text(key, **values), tone="plain" if passed == len(known) else "alert")
        return [said, RowTable(headings, rows)]
