"""Plotly figures of a run; computing stays in `ranking` and `effects`, drawing here."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from analysis.documented import DOCUMENTED
from analysis.labels import labels
from analysis.ranking import Ranking
from analysis.replicates import configuration_changes
from analysis.rules import RULES
from analysis.store import KEYS, Run

_FAULT, _PLAIN, _BASELINE = "#c0392b", "#1f5fa8", "#8a8a8a"
_LAYOUT = {"template": "plotly_white", "margin": {"l": 10, "r": 20, "t": 60, "b": 40}}


def ranking_figure(ranking: Ranking) -> go.Figure:
    """Configurations with their t-interval over seeds, best on top; baselines as dotted lines.

    Flagged configurations (not counting what data or sizes imply) are red and name their rules on hover.
    """
    rows = ranking.configurations.iloc[::-1]
    counted = ranking.findings[~ranking.findings["implied"].fillna(False).astype(bool)]
    flagged = rows["config"].isin(counted["config"])
    names = [f"{row.rank}. {row.label}" for row in rows.itertuples()]
    figure = go.Figure(
        go.Scatter(
            x=rows["value"],
            y=names,
            mode="markers",
            marker={"size": 10, "color": [_FAULT if f else _PLAIN for f in flagged]},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": rows["high"] - rows["value"],
                "arrayminus": rows["value"] - rows["low"],
            },
            customdata=[
                [config, ", ".join(flags) or "none"]
                for config, flags in zip(rows["config"], rows["flags"], strict=True)
            ],
            hovertemplate="%{y}<br>%{x:.4f}<br>%{customdata[0]}<br>flags: %{customdata[1]}<extra></extra>",
        )
    )
    lines = {f"baseline {r.baseline}": getattr(r, ranking.by.key) for r in ranking.baselines.itertuples()}
    if ranking.by.key == "aupr":
        lines |= {f"documented {d.name} (other protocol)": d.aupr for d in DOCUMENTED}
    for index, (name, value) in enumerate(lines.items()):
        if not pd.isna(value):
            figure.add_vline(x=value, line_dash="dot", line_color=_BASELINE)
            figure.add_annotation(
                x=value, y=1.0, yref="paper", text=name, textangle=-90, showarrow=False, xshift=8,
                yanchor="top", yshift=-4 * (index % 2), font={"size": 10, "color": _BASELINE},
            )  # fmt: skip
    figure.update_layout(
        title=f"{ranking.by.label} on val_unseen, 95 % t-interval over seeds (red: flagged)",
        xaxis_title=ranking.by.label,
        height=160 + 34 * max(4, len(rows)),
        **_LAYOUT,
    )
    figure.update_yaxes(automargin=True)
    return figure


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
    means = cells.pivot_table(index="config", columns="cell_line", values="aupr", aggfunc="mean")
    order = [config for config in ranking.configurations["config"] if config in means.index][::-1]
    means = means.loc[order]
    names = ranking.configurations.set_index("config")["label"]
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
    figure.update_yaxes(automargin=True)
    return figure


def curves_figure(run: Run, config: str, found: pd.DataFrame) -> go.Figure:
    """Training of one configuration, a line per seed: AUPR (train dotted, unseen solid) and total loss.

    Vertical lines stand where a warning of this configuration first held (`found`: its findings).
    """
    epochs = run.table("epochs")
    cells = run.as_found()
    own = epochs[epochs["config"] == config]
    unseen = cells[
        (cells["config"] == config)
        & (cells["split"] == "val_unseen")
        & (cells["selection"] == "epoch")
        & (cells["cell_line"] == "macro")
    ]
    if (unseen["score"] == "corrected").any():
        unseen = unseen[unseen["score"] == "corrected"]
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.06, subplot_titles=("macro AUPR", "total loss")
    )
    for (fold, seed), part in own.groupby(["fold", "seed"]):
        name = f"{fold}, seed {seed}"
        seen = unseen[(unseen["fold"] == fold) & (unseen["seed"] == seed)].sort_values("epoch")
        part = part.sort_values("epoch")
        train = {"x": part["epoch"], "y": part["train_aupr"], "line": {"color": _BASELINE, "dash": "dot"}}
        figure.add_trace(go.Scatter(name=f"train, {name}", **train), row=1, col=1)
        solid = {"x": seen["epoch"], "y": seen["aupr"], "line": {"color": _PLAIN}}
        figure.add_trace(go.Scatter(name=f"unseen, {name}", **solid), row=1, col=1)
        loss = {"x": part["epoch"], "y": part["loss"], "line": {"color": _PLAIN}, "showlegend": False}
        figure.add_trace(go.Scatter(name=f"loss, {name}", **loss), row=2, col=1)
    first = found[(found["config"] == config) & found["epoch"].notna()].groupby("epoch")["rule"].unique()
    for epoch, rules in first.items():
        fault = any(rule in RULES and RULES[rule].severity == "fault" for rule in rules)
        figure.add_vline(x=epoch, line_dash="dash", line_color=_FAULT if fault else "#d08c1d")
        figure.add_annotation(
            x=epoch,
            y=1,
            yref="y domain",
            text="<br>".join(rules),
            showarrow=False,
            xanchor="left",
            yanchor="top",
        )
    label = labels(configuration_changes(run))[config]
    figure.update_layout(title=f"{label} ({config})", height=520, **_LAYOUT)
    figure.update_xaxes(title_text="epoch", dtick=1, row=2, col=1)
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
        height=460,
        **_LAYOUT,
    )
    return figure
