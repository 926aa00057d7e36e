"""The warnings: what was seen, where it was worst, and what to try."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

import pandas as pd

from analysis.flags import by_rule
from analysis.report.content import Block, Cell, Paragraph, RowTable
from analysis.report.material import Material
from analysis.report.section import Section
from analysis.rules import why
from analysis.schema import UNDATED


class Warned(Section):
    """A row per rule that was broken, faults first and what the data imply last; then the rules that nobody could judge."""

    key: ClassVar[str] = "warnings"

    def blocks(self, material: Material) -> Sequence[Block] | None:
        text, ranking = material.texts, material.ranking
        raised = by_rule(ranking.findings)
        blocks: list[Block] = []
        if raised.empty:
            blocks.append(Paragraph(text("warnings.none")))
        else:
            rows = sorted(
                raised.to_dict("records"), key=lambda row: (bool(row["implied"]), row["severity"] != "fault")
            )
            headings = [text(f"warnings.{name}") for name in ("rule", "where", "worst", "seen", "advice")]
            cells = [_row({str(k): v for k, v in row.items()}, material) for row in rows]
            blocks.append(RowTable(headings, cells, wide=5, legend=text("warnings.legend")))
        return [*blocks, *_unjudged(material)]


def _unjudged(material: Material) -> Iterator[Block]:
    """The rules that could not be judged: a sentence for one reason, a row for each of several."""
    text, counts = material.texts, material.ranking.counts
    part = "" if counts.begun == counts.planned else "_begun"
    grouped = material.ranking.unevaluated.groupby(["missing", "units", "of"], sort=False)
    rows = [(", ".join(some["rule"]), why(str(missing)), units, of) for (missing, units, of), some in grouped]
    if len(rows) == 1:
        rule, reason, units, of = rows[0]
        said = text(f"warnings.not_evaluated{part}", rule=rule, why=reason, units=units, of=of)
        yield Paragraph(said, tone="quiet")
    elif rows:
        headings = [text(f"warnings.{name}") for name in ("not_judged", "units", "why")]
        cells = [
            [
                Cell(rule, style="quiet"),
                Cell(text(f"warnings.units_are{part}", units=units, of=of), style="quiet unbroken"),
                Cell(text.said(reason), style="quiet"),
            ]
            for rule, reason, units, of in rows
        ]
        yield RowTable(headings, cells, wide=3)


def _row(row: dict[str, object], material: Material) -> list[Cell]:
    text, rows = material.texts, material.rows
    mark = row["mark"] if isinstance(row["mark"], str) and row["mark"] else "?"
    severity = "implied" if row["implied"] else str(row["severity"])
    counts, config = material.ranking.counts, str(row["config"])
    begun = counts.of(rows["config"]).begun
    whole = len(rows) == counts.configurations and begun == counts.planned
    where = text(
        "warnings.where_is" if whole else "warnings.where_part",
        configs=row["configs"],
        of=len(rows),
        units=row["units"],
        all=begun,
    )
    place = [f"#{material.places[config]} {material.short[config]}"]
    if isinstance(row["cell_line"], str):
        place.append(row["cell_line"])
    epoch = row["epoch"]
    if isinstance(epoch, (int, float)) and not pd.isna(epoch) and epoch != UNDATED:
        place.append(text("warnings.first", epoch=int(epoch)))
    worst = text("warnings.worst_is", value=f"{row['value']:.3g}", limit=f"{row['limit']:.3g}")
    evidence = row["evidence"] if isinstance(row["evidence"], str) else ""
    return [
        Cell(f"{mark} {row['rule']}", text(f"warnings.severity_{severity}"), f"name {severity}"),
        Cell(where),
        Cell(worst, text.joined(place)),
        Cell(text.said(evidence)),
        Cell(text.said(str(row["advice"]))),
    ]
