"""What the run says of the predictions that could have been false."""

from collections.abc import Sequence
from itertools import groupby
from typing import ClassVar

from analysis.report.content import Block, Cell, Paragraph, RowTable
from analysis.report.material import Material, number
from analysis.report.section import Section


class Predicted(Section):
    """Each falsifiable prediction: supported, refuted or undecided, part by part, with its evidence."""

    key: ClassVar[str] = "predicted"

    def blocks(self, material: Material) -> Sequence[Block] | None:
        text, frame = material.texts, material.claims
        if frame is None or (frame["missing"] != "").all():
            return None
        rows = []
        for _, parts in groupby(frame.to_dict("records"), key=lambda row: row["claim"]):
            for at, row in enumerate(parts):
                whole = text(f"predicted.{row['answer'].replace(' ', '_')}")
                first = Cell(text.said(row["statement"]), whole, "name") if at == 0 else Cell("")
                part = text.said(row["part"])
                if row["missing"]:
                    told = text("predicted.lacking", missing=text.said(row["missing"]))
                    rows.append([first, Cell(part), Cell(""), Cell(told)])
                    continue
                span = ""
                if row["low"] == row["low"]:
                    span = text("ranking.span", low=number(row["low"]), high=number(row["high"]))
                answer = text(f"predicted.{row['part_answer'].replace(' ', '_')}")
                evidence = text.joined(row["evidence"])
                limit = text("predicted.limit", limit=f"{row['limit']:.4g}")
                measured = Cell(number(row["value"]), text.joined(filter(None, [span, limit])))
                rows.append([first, Cell(part, answer), measured, Cell(evidence)])
        config = str(frame["config"].iloc[0])
        label = material.labels.get(config, config)
        shows = Paragraph(text("predicted.shows", name=label))
        headings = [text(f"predicted.{name}") for name in ("statement", "part", "value", "evidence")]
        return [shows, RowTable(headings, rows, wide=4, legend=text("predicted.legend"))]
