"""What each mechanism did: the contrasts of a design with their intervals."""

import math
from collections.abc import Sequence
from typing import ClassVar

import plotly.graph_objects as go

from analysis.arms import arms
from analysis.contrast_rows import ContrastRow, ContrastRows
from analysis.contrasts import AA
from analysis.effect_table import ends
from analysis.effect_table import number as written
from analysis.labels import short_ids
from analysis.report.content import Block, Cell, Chart, LegendMark, Paragraph, RowTable
from analysis.report.drawing import BLUE, INK, QUIET, VERMILION, faded, figure_json, numbers
from analysis.report.material import Material
from analysis.report.section import Section
from analysis.reported import configuration_changes

COLOURS = {"better": BLUE, "worse": VERMILION, "no effect": QUIET}
"""Verdict -> its colour; what is unknown is open."""
DRAWN = 40
"""Contrasts that the figure has, the largest changes first where there are more."""


class Effects(Section):
    """Differences to what each arm, factor or step is compared with."""

    key: ClassVar[str] = "effects"

    def blocks(self, material: Material) -> Sequence[Block] | None:
        told = material.contrasts
        if told is None or not told.rows:
            return None
        text = material.texts
        blocks: list[Block] = [_figure(told, material), _table(told, material)]
        if any(row.family == AA for row in told.rows):
            blocks.append(Paragraph(text("effects.placebo"), tone="quiet"))
        return blocks


def _figure(told: ContrastRows, material: Material) -> Chart:
    text = material.texts
    rows = [row for row in told.rows if math.isfinite(row.interval.mean)]
    if len(rows) > DRAWN:
        largest = sorted(rows, key=lambda row: -abs(row.interval.mean))[:DRAWN]
        rows = [row for row in rows if row in largest]
    colours = [COLOURS.get(row.verdict, QUIET) for row in rows]
    symbols = ["circle" if row.verdict in COLOURS else "circle-open" for row in rows]
    spans = {"type": "data", "symmetric": False, "color": QUIET, "thickness": 1.5, "width": 4}
    spans |= {
        "array": numbers([row.interval.high - row.interval.mean for row in rows]),
        "arrayminus": numbers([row.interval.mean - row.interval.low for row in rows]),
    }
    names = [_name(row, material) for row in rows]
    trace = go.Scatter(
        x=numbers([row.interval.mean for row in rows]),
        y=names,
        mode="markers",
        marker={"size": 11, "color": colours, "symbol": symbols, "line": {"width": 2, "color": colours}},
        error_x=spans,
        hovertext=[
            f"{name}<br>{' · '.join(map(text.said, ends(row.interval)))}" for name, row in zip(names, rows, strict=True)
        ],
        hoverinfo="text",
    )  # fmt: skip
    region = {
        "type": "rect", "xref": "x", "yref": "paper", "x0": -told.rope, "x1": told.rope, "y0": 0, "y1": 1,
        "fillcolor": faded(BLUE, 0.1), "line": {"width": 0}, "layer": "below",
    }  # fmt: skip
    zero = {
        "type": "line", "xref": "x", "yref": "paper", "x0": 0, "x1": 0, "y0": 0, "y1": 1,
        "line": {"color": INK, "width": 1}, "layer": "below",
    }  # fmt: skip
    height = 70 + 28 * len(rows)
    figure = figure_json(
        [trace],
        x={"title": text("effects.axis", criterion=told.by.label)},
        y={
            "type": "category",
            "categoryorder": "array",
            "categoryarray": names[::-1],
            "range": [-0.7, len(names) - 0.3],
            "showgrid": False,
        },
        height=height,
        shapes=[region, zero],
    )
    better = text("effects.right" if told.by.higher_is_better else "effects.left")
    legend = [
        LegendMark(colour, "dot", text(f"effects.verdict_{word.replace(' ', '_')}"))
        for word, colour in COLOURS.items()
        if any(row.verdict == word for row in rows)
    ]
    if "circle-open" in symbols:
        legend.append(LegendMark(QUIET, "ring", text("effects.verdict_unknown")))
    legend.append(LegendMark(BLUE, "band", text("effects.region", rope=f"{told.rope:g}")))
    return Chart(text("effects.shows", criterion=told.by.label, better=better), figure, height, legend=legend)


def _name(row: ContrastRow, material: Material) -> str:
    name = material.texts.said(row.name)
    return material.texts("effects.placebo_name", name=name) if row.family == AA else name


def _table(told: ContrastRows, material: Material) -> RowTable:
    text = material.texts
    headings = [
        text(f"effects.{name}")
        for name in ("contrast", "change", "interval", "p", "detectable", "seeds", "verdict")
    ]
    rows = []
    short = short_ids([*arms(material.run), *configuration_changes(material.run)])
    for row in told.rows:
        change, span = ends(row.interval)
        word = text(f"effects.verdict_{row.verdict.replace(' ', '_')}") if row.verdict else ""
        cells = [
            Cell(
                _name(row, material),
                " · ".join(filter(None, [text.said(row.family), short.get(row.config)])),
                "name",
            ),
            Cell(change, style="lead"),
            Cell(text.said(span), style="span"),
            Cell(written(row.p, "{:.2g}")),
            Cell(written(row.detectable)),
            Cell(str(row.interval.n)),
            Cell(word, style=f"verdict {row.verdict.replace(' ', '-')}" if word else ""),
        ]
        rows.append(cells)
    return RowTable(headings, rows, legend=text("effects.legend"))
