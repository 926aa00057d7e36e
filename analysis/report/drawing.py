"""How figures look: one palette that colour-blind readers can tell apart, one quiet layout, JSON for plotly."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

INK, QUIET, RULE = "#1f2933", "#5f6b76", "#d9dee3"
BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE = (
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7",
)  # fmt: skip
FONTS = (
    'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", '
    '"Source Han Sans SC", "WenQuanYi Micro Hei", sans-serif'
)
"""Of text and figures alike: the system's own, then what has Chinese on a Mac, on Windows and on Linux."""
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION)
"""Okabe and Ito's colours, in the order in which they are used."""
_AXIS = {
    "gridcolor": "#eceff2", "zeroline": False, "linecolor": RULE, "tickcolor": RULE, "ticks": "outside", "ticklen": 4,
    "tickfont": {"size": 12, "color": QUIET}, "title": {"font": {"size": 12, "color": QUIET}, "standoff": 8},
    "automargin": True,
}  # fmt: skip


def faded(colour: str, opacity: float) -> str:
    """`#0072b2` at an opacity of 0 to 1, as rgba."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def numbers(values: ArrayLike) -> np.ndarray:
    """float32 [n], which is all that a drawing needs."""
    return np.asarray(values, dtype=np.float32)


def line(x: ArrayLike, y: ArrayLike, colour: str, **options: Any) -> go.Scatter:
    """A line without marks that does not answer the pointer unless told so."""
    style = {"color": colour, "width": options.pop("width", 2), "dash": options.pop("dash", "solid")}
    options = {"hoverinfo": "skip", **options}
    return go.Scatter(x=numbers(x), y=numbers(y), mode="lines", line=style, **options)


def band(x: ArrayLike, low: ArrayLike, high: ArrayLike, colour: str, opacity: float = 0.15) -> go.Scatter:
    """The area between two curves, as one outline."""
    x, low, high = numbers(x), numbers(low), numbers(high)
    return go.Scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([high, low[::-1]]),
        fill="toself",
        fillcolor=faded(colour, opacity),
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
    )


def figure_json(
    traces: Sequence[go.Scatter],
    *,
    x: Mapping[str, Any],
    y: Mapping[str, Any],
    height: int,
    annotations: Sequence[Mapping[str, Any]] = (),
    shapes: Sequence[Mapping[str, Any]] = (),
) -> str:
    """A figure in the quiet layout as JSON that can stand in a page: `x` and `y` are added to its axes."""
    figure = go.Figure(data=list(traces))
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 8, "r": 16, "t": 8, "b": 8},
        showlegend=False,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONTS, "size": 12, "color": INK},
        hoverlabel={"bgcolor": "#ffffff", "bordercolor": RULE, "font": {"color": INK, "size": 12}},
        annotations=list(annotations),
        shapes=list(shapes),
    )
    figure.update_xaxes(**_merged(_AXIS, x))
    figure.update_yaxes(**_merged(_AXIS, y))
    text: str = figure.to_json()
    return text.replace("</", "<\\/")


def _merged(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    title = more.get("title")
    merged = {**base, **more}
    if isinstance(title, str):
        merged["title"] = {**base["title"], "text": title}
    return merged
