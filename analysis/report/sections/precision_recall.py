"""Precision against recall in unseen cell lines, with a band over seeds."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pandas as pd

from analysis.intervals import t_interval
from analysis.report.content import Block, Chart, Charts, LegendMark
from analysis.report.drawing import BLUE, QUIET, band, figure_json, line
from analysis.report.material import Material
from analysis.report.recall import GRID, seed_curves
from analysis.report.section import Section
from analysis.schema import MACRO

HEIGHT = 250


class PrecisionRecall(Section):
    """TrainingCurves of the first configurations on one grid of recall."""

    key: ClassVar[str] = "precision_recall"

    def blocks(self, material: Material) -> Sequence[Block] | None:
        text = material.texts
        predictions = _predictions(material)
        if predictions.empty:
            return None
        macro = material.ranking.by.cell_line == MACRO
        charts = [
            _chart(material, config, seed_curves(rows, macro=macro), float((rows["label"] == 1).mean()))
            for config in material.leaders
            for rows in [predictions[predictions["config"] == config]]
            if len(rows)
        ]
        of = text("precision_recall.macro" if macro else "precision_recall.pooled")
        legend = [
            LegendMark(BLUE, "line", text("precision_recall.mark_mean")),
            LegendMark(BLUE, "band", text("precision_recall.mark_band")),
            LegendMark(QUIET, "dash", text("precision_recall.mark_chance")),
        ]
        return [Charts(text("precision_recall.shows", of=of), charts, legend)]


def _predictions(material: Material) -> pd.DataFrame:
    """The leaders' predictions on val_unseen, of units that are in the ranking."""
    units = material.run.table("units")
    units = units[units["config"].isin(material.leaders)]
    accused = set(material.ranking.accused[["config", "fold", "seed"]].itertuples(index=False, name=None))
    keys = units[["config", "fold", "seed"]].itertuples(index=False, name=None)
    names = frozenset("-".join(map(str, key)) for key in keys if key not in accused)
    rows = material.run.rows_of(
        "predictions", names, ["config", "fold", "seed", "split", "draw", "cell_line", "label", "logit"]
    )
    return rows[(rows["split"] == "val_unseen") & (rows["draw"] == 0) & rows["logit"].notna()]


def _chart(material: Material, config: str, seeds: np.ndarray, prevalence: float) -> Chart:
    text = material.texts
    intervals = [t_interval(values) for values in seeds.T]
    mean, low, high = zip(*((each.mean, each.low, each.high) for each in intervals), strict=True)
    shown = text("precision_recall.hover", recall="%{x:.2f}", precision="%{y:.3f}") + "<extra></extra>"
    traces = [
        *([band(GRID, low, high, BLUE, 0.18)] if len(seeds) > 1 else []),
        line([0, 1], [prevalence, prevalence], QUIET, width=1.5, dash="dash"),
        line(GRID, mean, BLUE, width=2.5, hoverinfo=None, hovertemplate=shown),
    ]
    figure = figure_json(
        traces,
        x={"title": text("precision_recall.recall"), "range": [0, 1]},
        y={"title": text("precision_recall.precision"), "range": [0, 1.02]},
        height=HEIGHT,
    )
    return Chart("", figure, HEIGHT, heading=material.named(config))
