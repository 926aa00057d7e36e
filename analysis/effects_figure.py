"""What each contrast of a design did, as a figure."""

import pandas as pd
import plotly.graph_objects as go

from analysis.ranking import ROPE

COLOURS = {
    "better": "#0072b2",
    "worse": "#d55e00",
    "no effect": "#009e73",
    "unknown": "#8a8a8a",
    "": "#8a8a8a",
}
"""Of each verdict, apart for every kind of colour blindness; the verdict stands in words beside it."""


def effects_figure(effects: pd.DataFrame, rope: float = ROPE) -> go.Figure:
    """Change of each contrast with its 95 % t-interval over seeds, in the order of `effects_frame`; the band is ±`rope`.

    The least change that could have been seen stands on hover. An empty figure says so in its title.
    """
    figure = go.Figure()
    if effects.empty:
        return figure.update_layout(
            title="This design names no arms to compare", template="plotly_white", height=160
        )
    names = [
        f"{name} ({verdict})" if verdict else str(name)
        for name, verdict in zip(effects["name"], effects["verdict"].fillna(""), strict=True)
    ]
    for verdict in dict.fromkeys(effects["verdict"].fillna("")):
        rows = effects[effects["verdict"].fillna("") == verdict]
        spans = {"type": "data", "symmetric": False, "thickness": 1.5}
        spans |= {"array": rows["high"] - rows["change"], "arrayminus": rows["change"] - rows["low"]}
        figure.add_trace(
            go.Scatter(
                x=rows["change"],
                y=[names[at] for at in rows.index],
                mode="markers",
                marker={"size": 10, "color": COLOURS.get(str(verdict), COLOURS["unknown"])},
                error_x=spans,
                customdata=rows[["p", "detectable", "seeds"]],
                hovertemplate="%{y}<br>%{x:+.4f}<br>p %{customdata[0]:.2g}, could have seen %{customdata[1]:.4f}"
                "<br>%{customdata[2]} seeds<extra></extra>",
            )
        )
    figure.add_vrect(x0=-rope, x1=rope, fillcolor="#8a8a8a", opacity=0.15, line_width=0)
    figure.add_vline(x=0, line={"color": "#8a8a8a", "width": 1})
    figure.update_yaxes(
        categoryorder="array", categoryarray=names[::-1], automargin=True, ticklabelstandoff=8
    )
    figure.update_layout(
        title=f"Change of {effects['criterion'].iloc[0]}, 95 % t-interval over seeds (band: ±{rope:g}, no effect)",
        xaxis_title="arm minus reference",
        showlegend=False,
        template="plotly_white",
        height=160 + 26 * max(4, len(effects)),
        margin={"l": 10, "r": 20, "t": 60, "b": 40},
    )
    return figure
