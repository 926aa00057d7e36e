"""Plotly figures of a run; computing stays in `ranking` and `effects`, drawing here."""

import pandas as pd
import plotly.graph_objects as go
from plotly.colors import qualitative
from plotly.subplots import make_subplots

from analysis.documented import DOCUMENTED
from analysis.flags import rules_in_order
from analysis.labels import first_settings, labels
from analysis.ranking import Ranking
from analysis.reported import configuration_changes
from analysis.store import KEYS, Run

_FAULT, _PLAIN, _BASELINE = "#e69f00", "#1f5fa8", "#8a8a8a"
SHOWN = 50
"""Characters of a configuration's name beside an axis."""
_LAYOUT = {"template": "plotly_white", "margin": {"l": 10, "r": 20, "t": 60, "b": 40}}


def ranking_figure(ranking: Ranking) -> go.Figure:
    """Configurations with their t-interval over seeds, best on top; baselines and documented results below.

    Flagged configurations (not counting what data or sizes imply) are orange, incomplete ones open; their whole name,
    their rules and missing units are named on hover.
    """
    rows, by = ranking.configurations, ranking.by
    counted = ranking.findings[~ranking.findings["implied"]]
    flagged = rows["config"].isin(counted["config"])
    names = [f"{row['rank']}. {_named(row['short'], row['label'])}" for row in rows.to_dict("records")]
    colours = [_FAULT if f else _PLAIN for f in flagged]
    symbols = ["circle" if complete else "circle-open" for complete in rows["complete"]]
    hover = [
        [
            f"{row['config']}<br>{row['label']}",
            ", ".join(row["flags"]) or "none",
            row["lacking"] or "all units finished",
        ]
        for row in rows.to_dict("records")
    ]
    spans = {"type": "data", "symmetric": False, "color": "#9fb6cc", "thickness": 1.5}
    spans |= {"array": rows["high"] - rows["value"], "arrayminus": rows["value"] - rows["low"]}
    figure = go.Figure(
        go.Scatter(
            x=rows["value"],
            y=names,
            mode="markers",
            marker={"size": 10, "color": colours, "symbol": symbols, "line": {"width": 2, "color": colours}},
            error_x=spans,
            customdata=hover,
            hovertemplate="%{y}<br>%{x:.4f}<br>%{customdata[0]}<br>flags: %{customdata[1]}"
            "<br>%{customdata[2]}<extra></extra>",
        )
    )
    beside = {f"baseline {row['baseline']}": row[by.key] for row in ranking.baselines.to_dict("records")}
    if by.key == "aupr":
        beside |= {f"documented {d.name} (other data)": d.aupr for d in DOCUMENTED}
    beside = {name: value for name, value in beside.items() if not pd.isna(value)}
    marks = {"size": 8, "symbol": "diamond", "color": _BASELINE}
    known = {"x": list(beside.values()), "y": list(beside), "mode": "markers", "marker": marks}
    figure.add_trace(go.Scatter(**known, hovertemplate="%{y}<br>%{x:.4f}<extra></extra>"))
    figure.update_layout(
        title=f"{by.label} on val_unseen, 95 % t-interval over seeds (orange: flagged, open: incomplete)",
        xaxis_title=by.label,
        showlegend=False,
        height=140 + 26 * max(4, len(rows) + len(beside)),
        **_LAYOUT,
    )
    order = [*names, *beside]
    figure.update_yaxes(
        automargin=True, ticklabelstandoff=8, categoryorder="array", categoryarray=order[::-1]
    )
    figure.update_yaxes(range=[-0.7, len(order) - 0.3])
    return figure


def _named(short: str, label: str) -> str:
    """The beginning of an identity, which tells rows apart, and the first settings that have room."""
    return f"{short} {first_settings(label, SHOWN)}"


def per_cell_figure(ranking: Ranking, split: str = "val_unseen") -> go.Figure:
    """AUPR of every ranked configuration in every unseen cell line (mean over seeds), as a heat map."""
    cells = ranking.run.as_found()
    cells = cells[
        (cells["split"] == split)
        & (cells["selection"] == "best_on_validation")
        & ~cells["cell_line"].isin(["macro", "pooled"])
    ]
    corrected = cells["score"] == "corrected"
    has_corrected = corrected.groupby([cells[key] for key in KEYS]).transform("any")
    cells = cells[corrected | ~has_corrected]
    accused = pd.MultiIndex.from_frame(ranking.accused[KEYS])
    cells = cells[~pd.MultiIndex.from_frame(cells[KEYS]).isin(accused)]
    means = cells.pivot_table(index="config", columns="cell_line", values="aupr", aggfunc="mean")
    order = [config for config in ranking.configurations["config"] if config in means.index][::-1]
    means = means.loc[order]
    rows = ranking.configurations.to_dict("records")
    names = {str(row["config"]): _named(row["short"], row["label"]) for row in rows}
    figure = go.Figure(
        go.Heatmap(
            z=means.to_numpy(),
            x=list(means.columns),
            y=[names[config] for config in order],
            colorscale="Viridis",
            colorbar={"title": "AUPR"},
            texttemplate="%{z:.3f}",
            hovertemplate="%{y}<br>%{x}: %{z:.4f}<extra></extra>",
        )
    )
    note = " (reporting only)" if split == "test" else ""
    figure.update_layout(
        title=f"AUPR per cell line on {split}{note}, mean over seeds",
        height=140 + 34 * max(4, len(order)),
        **_LAYOUT,
    )
    figure.update_yaxes(automargin=True, ticklabelstandoff=8)
    return figure


def curves_figure(run: Run, config: str, findings: pd.DataFrame) -> go.Figure:
    """Training of one configuration, a colour per fold and seed: AUPR (train dotted, unseen solid), total loss.

    Below them a lane per rule with the epoch at which it first held (null, of what is known before training,
    stands at 0). A click on a seed in the legend hides all that belongs to it.
    """
    epochs, cells = run.table("epochs"), run.as_found()
    unseen = cells[
        (cells["config"] == config)
        & (cells["split"] == "val_unseen")
        & (cells["selection"] == "epoch")
        & (cells["cell_line"] == "macro")
    ]
    if (unseen["score"] == "corrected").any():
        unseen = unseen[unseen["score"] == "corrected"]
    findings = findings[findings["config"] == config]
    lanes = [rule for rule in rules_in_order(findings) if (findings["rule"] == rule).any()]
    titles = (
        "macro AUPR (dotted: train, solid: unseen)",
        "total loss",
        "warnings: first epoch, 0 before training",
    )
    heights = [0.46, 0.34, 0.05 * max(1, len(lanes))]
    figure = make_subplots(
        rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.07, row_heights=heights, subplot_titles=titles
    )
    drawn = epochs[epochs["config"] == config].sort_values("epoch")
    for index, ((fold, seed), part) in enumerate(drawn.groupby(["fold", "seed"])):
        name = f"{fold}, seed {seed}"
        colour = qualitative.D3[index % len(qualitative.D3)]
        seen = unseen[(unseen["fold"] == fold) & (unseen["seed"] == seed)].sort_values("epoch")
        raised = findings[(findings["fold"] == fold) & (findings["seed"] == seed)].drop_duplicates("rule")
        common = {"name": name, "legendgroup": name, "showlegend": False}
        solid, dotted = {"color": colour}, {"color": colour, "dash": "dot", "width": 1}
        lines = {**common, "mode": "lines"}
        figure.add_trace(
            go.Scatter(x=part["epoch"], y=part["train_aupr"], line=dotted, **lines), row=1, col=1
        )
        shown = {**lines, "showlegend": True}
        figure.add_trace(go.Scatter(x=seen["epoch"], y=seen["aupr"], line=solid, **shown), row=1, col=1)
        figure.add_trace(go.Scatter(x=part["epoch"], y=part["loss"], line=solid, **lines), row=2, col=1)
        marks = {"color": colour, "size": 9, "symbol": "line-ns-open", "line": {"width": 3}}
        # Seeds that raise a rule in the same epoch stand side by side.
        at = raised["epoch"].fillna(0).astype(float) + 0.06 * index
        hover = [f"{rule}<br>{text}" for rule, text in zip(raised["rule"], raised["evidence"], strict=True)]
        lane = {**common, "mode": "markers", "marker": marks, "hovertext": hover, "hoverinfo": "text+name"}
        figure.add_trace(go.Scatter(x=at, y=raised["rule"], **lane), row=3, col=1)
    label = labels(configuration_changes(run))[config]
    figure.update_layout(title=f"{label} ({config})", height=520 + 26 * len(lanes), **_LAYOUT)
    figure.update_xaxes(title_text="epoch", row=3, col=1)
    figure.update_yaxes(automargin=True, ticklabelstandoff=8)
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=lanes[::-1], row=3, col=1)
    return figure


def correction_figure(ranking: Ranking) -> go.Figure:
    """Pooled AUPR of U_I alone against the corrected score; above the diagonal R_E helps across cell lines."""
    rows = ranking.configurations
    figure = go.Figure(
        go.Scatter(
            x=rows["u_pooled_aupr"],
            y=rows["pooled_aupr"],
            mode="markers+text",
            text=rows["rank"].astype(str),
            textposition="top center",
            marker={"size": 10, "color": _PLAIN},
            customdata=rows[["label"]],
            hovertemplate="%{customdata[0]}<br>U only %{x:.4f}<br>corrected %{y:.4f}<extra></extra>",
        )
    )
    both = pd.concat([rows["u_pooled_aupr"], rows["pooled_aupr"]]).dropna()
    if len(both):
        low, high = both.min() - 0.01, both.max() + 0.01
        diagonal = {"mode": "lines", "line": {"color": _BASELINE, "dash": "dot"}, "hoverinfo": "skip"}
        figure.add_trace(go.Scatter(x=[low, high], y=[low, high], **diagonal))
    figure.update_layout(
        title="Pooled AUPR on val_unseen: what R_E adds to U_I (numbers are ranks)",
        xaxis_title="U_I alone",
        yaxis_title="corrected",
        showlegend=False,
        height=480,
        **_LAYOUT,
    )
    figure.update_xaxes(constrain="domain")
    figure.update_yaxes(scaleanchor="x", scaleratio=1, constrain="domain", automargin=True)
    return figure
