"""What the data give away without a model: what the data report flags, and the baselines on the same pairs."""

import math
from collections.abc import Sequence
from typing import ClassVar

from analysis.criteria import CRITERIA
from analysis.data_signs import DataSigns, data_signs
from analysis.report.content import Block, Cell, Paragraph, RowTable
from analysis.report.material import Material, number, signed
from analysis.report.section import Section


class Shortcuts(Section):
    """Flags; each baseline, what it sees, and how far the first configuration is above it; shortcuts without sequences."""

    key: ClassVar[str] = "shortcuts"

    def blocks(self, material: Material) -> Sequence[Block] | None:
        ranking = material.ranking
        signs = data_signs(material.run)
        told = _flags(signs, material)
        if ranking.baselines.empty:
            return None if signs is None else [*told, _telltales(signs, material)]
        blocks = [*told, *_beside_baselines(material)]
        return blocks if signs is None else [*blocks, _telltales(signs, material)]


def _flags(signs: DataSigns | None, material: Material) -> list[Block]:
    """What the data report flags, a paragraph each; that it flags nothing, or was not made."""
    text = material.texts
    if signs is None:
        return [Paragraph(text("shortcuts.not_looked"), tone="quiet")]
    if not signs.flags:
        return [Paragraph(text("shortcuts.no_flag"))]
    told: list[Block] = [
        Paragraph(text("shortcuts.flag", flag=flag, meaning=meaning), tone="alert")
        for flag, meaning in signs.flags.items()
    ]
    if signs.of_source:
        told.append(Paragraph(text("shortcuts.not_of_folds", flags=text.listed(signs.of_source))))
    return told


def _telltales(signs: DataSigns, material: Material) -> RowTable:
    text = material.texts
    headings = [text(f"shortcuts.{name}") for name in ("shortcut", "parted", "auc", "low", "flagged")]
    rows = [
        [
            Cell(text("shortcuts.kind_" + str(row["shortcut"]).replace(" ", "_")), style="name"),
            Cell(text.said(str(row["parted"]))),
            Cell(number(_float(row["auc"])), style="lead"),
            Cell(number(_float(row["low"]))),
            Cell(str(row["flag"]), style="verdict worse" if row["flag"] else ""),
        ]
        for row in signs.shortcuts
    ]
    return RowTable(headings, rows, wide=2, legend=text("shortcuts.legend"))


def _float(value: float | None) -> float:
    return math.nan if value is None else value


def _beside_baselines(material: Material) -> list[Block]:
    text, ranking = material.texts, material.ranking
    by, known = ranking.by, ranking.baselines
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
