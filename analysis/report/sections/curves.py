"""Training curves with the moment at which each warning fired."""

from collections.abc import Sequence
from typing import ClassVar

import pandas as pd
import plotly.graph_objects as go

from analysis.report.content import Block, Chart, Charts, LegendMark
from analysis.report.drawing import BLUE, ORANGE, QUIET, VERMILION, band, faded, figure_json, line, numbers
from analysis.report.material import LEADERS, Material
from analysis.report.section import Section
from analysis.schema import UNDATED

HEIGHT = 250


class TrainingCurves(Section):
    """Macro AUPR of training and unseen cell lines over epochs, of the first configurations and of all."""

    key: ClassVar[str] = "curves"

    def blocks(self, material: Material) -> Sequence[Block] | None:
        unseen = material.unseen_curves()
        if unseen.empty:
            return None
        text = material.texts
        epochs = material.run.table("epochs")
        train = epochs[epochs["config"].isin(material.leaders)]
        drawn = [config for config in material.leaders if (unseen["config"] == config).any()]
        limits = _limits(unseen[unseen["config"].isin(drawn)], train)
        charts = [_chart(material, config, unseen, train, limits) for config in drawn]
        legend = [
            LegendMark(BLUE, "line", text("curves.mark_unseen")),
            LegendMark(ORANGE, "dash", text("curves.mark_train")),
            LegendMark(VERMILION, "down", text("curves.mark_warning")),
            LegendMark(QUIET, "up", text("curves.mark_implied")),
        ]
        blocks: list[Block] = [
            Charts(text("curves.shows", n=text.count("leader", len(charts))), charts, legend)
        ]
        if unseen["config"].nunique() >= 2 * LEADERS:
            blocks.append(_all(material, unseen))
        return blocks


def _limits(unseen: pd.DataFrame, train: pd.DataFrame) -> list[float]:
    """One range for all charts, so that they can be compared by eye."""
    values = pd.concat([unseen["aupr"], train["train_aupr"]]).dropna()
    margin = max(0.08 * float(values.max() - values.min()), 0.01)
    return [float(values.min()) - margin, float(values.max()) + 2 * margin]


def _chart(
    material: Material, config: str, unseen: pd.DataFrame, train: pd.DataFrame, limits: list[float]
) -> Chart:
    text = material.texts
    ours, trained = unseen[unseen["config"] == config], train[train["config"] == config]
    traces: list[go.Scatter] = []
    opacity = 0.3 if ours.groupby(["fold", "seed"], observed=True).ngroups <= 5 else 0.15
    for rows, column, colour in ((trained, "train_aupr", ORANGE), (ours, "aupr", BLUE)):
        for _, unit in rows.groupby(["fold", "seed"], observed=True):
            unit = unit.sort_values("epoch")
            traces.append(line(unit["epoch"], unit[column], faded(colour, opacity), width=1))
    means = [(trained, "train_aupr", ORANGE, "dash", "train"), (ours, "aupr", BLUE, "solid", "unseen")]
    for rows, column, colour, dash, name in means:
        mean = rows.groupby("epoch")[column].mean()
        shown = text(f"curves.hover_{name}", value="%{y:.3f}", epoch="%{x}") + "<extra></extra>"
        traces.append(
            line(mean.index, mean, colour, width=2.5, dash=dash, hoverinfo=None, hovertemplate=shown)
        )
    last = int(ours["epoch"].max())
    traces += _warnings(material, config, ours.groupby("epoch")["aupr"].mean())
    figure = figure_json(
        traces,
        x={"title": text("curves.epoch"), "range": [-0.3, last + 0.3], "dtick": max(1, round(last / 8))},
        y={"title": text("curves.axis"), "range": limits},
        height=HEIGHT,
    )
    return Chart("", figure, HEIGHT, heading=material.named(config))


def _warnings(material: Material, config: str, mean: pd.Series) -> list[go.Scatter]:
    """A mark on the unseen curve at the first epoch of every warning, with its letters; epoch 0 stands for what is known
    before training."""
    findings = material.ranking.findings
    findings = findings[(findings["config"] == config) & (findings["epoch"] != UNDATED)]
    first = findings.groupby("rule").agg({"epoch": "min", "mark": "first", "implied": "all"})
    moments = first.assign(epoch=first["epoch"].fillna(0).astype(int))
    traces = []
    for _, rows in moments.groupby(["epoch", "implied"]):
        epoch, implied = int(rows["epoch"].iloc[0]), bool(rows["implied"].iloc[0])
        at = mean.index[int(abs(mean.index.to_numpy() - epoch).argmin())]
        colour = QUIET if implied else VERMILION
        letters = "".join(mark if isinstance(mark, str) and mark else "?" for mark in rows["mark"])
        said = material.texts("curves.hover_warning", rules=", ".join(rows.index), epoch=epoch)
        traces.append(
            go.Scatter(
                x=numbers([epoch]),
                y=numbers([mean.loc[at]]),
                mode="markers+text",
                text=[letters],
                textposition="bottom center" if implied else "top center",
                textfont={"color": colour, "size": 12, "weight": "bold"},
                marker={
                    "symbol": "triangle-up" if implied else "triangle-down",
                    "size": 10,
                    "color": colour,
                    "line": {"color": "#ffffff", "width": 1},
                },
                hovertext=[said],
                hoverinfo="text",
                cliponaxis=False,
            )
        )
    return traces


def _all(material: Material, unseen: pd.DataFrame) -> Chart:
    """The unseen curves of all configurations as an envelope."""
    text = material.texts
    means = unseen.groupby(["config", "epoch"])["aupr"].mean()
    by_epoch = means.groupby("epoch")
    spread = pd.DataFrame({share: by_epoch.quantile(share) for share in (0.0, 0.1, 0.5, 0.9, 1.0)})
    best = means.loc[material.leaders[0]] if material.leaders[0] in means.index else means.iloc[:0]
    traces = [
        band(spread.index, spread[0.0], spread[1.0], QUIET, 0.12),
        band(spread.index, spread[0.1], spread[0.9], QUIET, 0.22),
        line(spread.index, spread[0.5], QUIET, width=1.5),
        line(best.index, best, BLUE, width=2.5),
    ]
    figure = figure_json(
        traces, x={"title": text("curves.epoch")}, y={"title": text("curves.axis")}, height=HEIGHT
    )
    legend = [
        LegendMark(BLUE, "line", text("curves.mark_first")),
        LegendMark(QUIET, "line", text("curves.mark_median")),
        LegendMark(QUIET, "band", text("curves.mark_envelope")),
    ]
    number = text.count("configuration", unseen["config"].nunique())
    return Chart(text("curves.shows_all", n=number), figure, HEIGHT, legend=legend)
