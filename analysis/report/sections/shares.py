"""How strongly each loss term pulled, beside the task, over the epochs."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from analysis.report.content import Block, Chart, Charts, LegendMark, Paragraph
from analysis.report.drawing import INK, PALETTE, QUIET, figure_json, line
from analysis.report.material import Material
from analysis.report.section import Section

HEIGHT = 250
TASK = "task"
UNHEARD = 0.01
"""Share of the task's gradient below which a term is called drowned."""
DASHES = ("solid", "dash", "dot")


class Shares(Section):
    """The gradient of each term over the task's on the same parameters, of the first configurations."""

    key: ClassVar[str] = "shares"

    def blocks(self, material: Material) -> Sequence[Block] | None:
        terms = material.run.table("terms")
        terms = terms[terms["config"].isin(material.leaders) & (terms["term"] != TASK)]
        each = ["config", "term", "epoch"]
        means = terms.dropna(subset="grad_share").groupby(each)["grad_share"].mean().reset_index()
        terms = means[means["grad_share"] > 0]
        if terms.empty:
            return None
        text = material.texts
        names = sorted(terms["term"].unique())
        looks = {
            name: (PALETTE[at % len(PALETTE)], DASHES[at // len(PALETTE) % 3])
            for at, name in enumerate(names)
        }
        shares = np.log10(terms["grad_share"])
        limits = [min(float(shares.min()), -2.0) - 0.2, max(float(shares.max()), 0.0) + 0.2]
        charts = [
            _chart(material, config, rows, looks, limits)
            for config in material.leaders
            for rows in [terms[terms["config"] == config]]
            if len(rows)
        ]
        legend = [
            LegendMark(colour, "line" if dash == "solid" else dash, name)
            for name, (colour, dash) in looks.items()
        ]
        legend += [
            LegendMark(INK, "line", text("shares.mark_task")),
            LegendMark(QUIET, "dash", text("shares.mark_drowned")),
        ]
        return [Charts(text("shares.shows"), charts, legend), *_not_drawn(means, material)]


def _not_drawn(means: pd.DataFrame, material: Material) -> Iterator[Paragraph]:
    """Terms whose gradient was 0 in every epoch, which no logarithmic axis has."""
    text, still = material.texts, means.groupby(["term", "config"])["grad_share"].max() == 0
    silent = still[still].reset_index()
    for term, rows in silent.groupby("term"):
        places = [
            f"#{material.places[config]}" for config in material.leaders if config in set(rows["config"])
        ]
        yield Paragraph(text("shares.not_drawn", term=str(term), places=text.listed(places)), tone="quiet")


def _ticks(limits: list[float], material: Material) -> dict[str, list[Any]]:
    """`1 %`, `10 %`, `1 ×`, `10 ×`: at most six of them."""
    powers = range(math.ceil(limits[0]), math.floor(limits[1]) + 1)
    shown = [power for power in powers if power % math.ceil(len(powers) / 6) == 0]
    words = [
        material.texts("shares.times", n=10**power)
        if power >= 0
        else material.texts("shares.percent", n=f"{100 * 10.0**power:g}")
        for power in shown
    ]
    return {"tickvals": [10.0**power for power in shown], "ticktext": words}


def _chart(
    material: Material,
    config: str,
    rows: pd.DataFrame,
    looks: dict[str, tuple[str, str]],
    limits: list[float],
) -> Chart:
    text = material.texts
    last = int(rows["epoch"].max())
    traces: list[go.Scatter] = [
        line([0.5, last + 0.5], [1, 1], INK, width=1),
        line([0.5, last + 0.5], [UNHEARD, UNHEARD], QUIET, width=1.5, dash="dash"),
    ]
    for name, part in rows.groupby("term"):
        colour, dash = looks[str(name)]
        mean = part.set_index("epoch")["grad_share"]
        shown = text("shares.hover", term=name, share="%{y:.3g}", epoch="%{x}") + "<extra></extra>"
        traces.append(
            line(
                mean.index,
                mean,
                colour,
                dash=dash,
                hoverinfo=None,
                hovertemplate=shown,
            ).update(mode="lines+markers", marker={"size": 5, "color": colour})
        )
    figure = figure_json(
        traces,
        x={"title": text("curves.epoch"), "range": [0.7, last + 0.3], "dtick": max(1, round(last / 8))},
        y={"title": text("shares.axis"), "type": "log", "range": limits, **_ticks(limits, material)},
        height=HEIGHT,
    )
    return Chart("", figure, HEIGHT, heading=material.named(config))
