"""What fresh seeds and a fold that selection did not use say of what was chosen."""

from collections.abc import Sequence
from typing import ClassVar

from analysis.confirmation.figures import Confirmation
from analysis.confirmation.seal import FOLDER
from analysis.labels import KNOWN_BY
from analysis.report.content import Block, Cell, Paragraph, RowTable
from analysis.report.material import Material, number, signed
from analysis.report.section import Section


class Confirmed(Section):
    """Each candidate: what it was when it was chosen, what came of it, and by how much the selection flattered."""

    key: ClassVar[str] = "confirmed"

    def blocks(self, material: Material) -> Sequence[Block] | None:
        text, told = material.texts, material.confirmation
        if told is None or not told.opened:
            broken = [each for each in material.run.problems if each.startswith(f"{FOLDER}/")]
            return [
                Paragraph(text("confirmed.changed", problem=each), tone="alert") for each in broken
            ] or None
        changed = [Paragraph(text.said(each), tone="alert") for each in told.differences]
        headings = ("configuration", "when_chosen", "result", "optimism", "over_baseline", "verdict")
        cells = [_row({str(k): v for k, v in row.items()}, material) for row in told.rows.to_dict("records")]
        shows = text(
            "confirmed.shows",
            criterion=told.by.label,
            fold=told.record.fold,
            seeds=text.count("seed", int(told.winner["seeds"])),
        )
        table = RowTable(
            [text(f"confirmed.{name}") for name in headings], cells, legend=text("confirmed.legend")
        )
        return [*changed, Paragraph(shows), table, *_opened(told, material)]


def _row(row: dict[str, object], material: Material) -> list[Cell]:
    text = material.texts

    def span(low: str, high: str) -> str:
        return text("ranking.span", low=number(_float(row[low])), high=number(_float(row[high])))

    over = (
        span("over_baseline_low", "over_baseline_high")
        if row["over_baseline"] == row["over_baseline"]
        else ""
    )
    low, high = (_float(row[f"optimism_{end}"]) for end in ("low", "high"))
    optimism = text("ranking.span", low=signed(low), high=signed(high)) if low == low else ""
    return [
        Cell(text.said(str(row["label"])), str(row["config"])[:KNOWN_BY], "name"),
        Cell(number(_float(row["selected"]))),
        Cell(number(_float(row["confirmed"])), span("low", "high"), "lead"),
        Cell(signed(_float(row["optimism"])), optimism),
        Cell(signed(_float(row["over_baseline"])), over),
        Cell(text(f"confirmed.tie_{row['tie']}"), str(row["lacking"])),
    ]


def _opened(told: Confirmation, material: Material) -> list[Block]:
    opened = told.record.opened
    if opened is None:
        return []
    said = material.texts("confirmed.opened", date=opened.date, by=opened.by, fold=told.record.fold)
    return [Paragraph(said, tone="quiet")]


def _float(value: object) -> float:
    return float(str(value))
