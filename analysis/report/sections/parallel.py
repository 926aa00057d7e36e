"""Settings against results: every configuration as one line through the values of what was varied."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import plotly.graph_objects as go

from analysis.labels import short_names
from analysis.report.content import Block, Chart, LegendMark
from analysis.report.drawing import BLUE, INK, ORANGE, QUIET, RULE, faded, figure_json, numbers
from analysis.report.material import TOP, Material, number
from analysis.report.section import Section

MOST_KEYS, MOST_LINES = 12, 120
MOST_WORDS = 8
"""Different words up to which a setting has a row; a name of each configuration is none."""
WIDE = 20.0
"""Largest over smallest value from which on a scale is logarithmic."""
ABSENT = -0.1
"""Where a line passes a setting that its configuration does not have."""
ROW = 54


@dataclass(frozen=True)
class Scale:
    """The row of one setting: its name, where each configuration stands on it (0 to 1, `ABSENT` without it), and what is
    written where along it."""

    name: str
    places: Sequence[float]
    ticks: Sequence[tuple[float, str]]


class Parallel(Section):
    """Parallel coordinates with a row per setting, which fit a phone and a printed page."""

    key: ClassVar[str] = "parallel"

    def blocks(self, material: Material) -> Sequence[Block] | None:
        rows = material.rows[material.rows["behind"] == 0]
        if material.contrasts is not None or len(rows) < 3:
            return None
        configs = _chosen([str(config) for config in rows["config"]])
        changes = [material.ranking.changes[config] for config in configs]
        paths = _varied(changes)
        if not paths:
            return None
        text, by = material.texts, material.ranking.by
        values = dict(zip(rows["config"], rows["value"], strict=True))
        results = [float(values[config]) for config in configs]
        names = short_names(paths)
        scales = [_result(text.said(by.label), results, higher=by.higher_is_better)]
        scales += [_scale(names[path], [change.get(path) for change in changes]) for path in paths]
        scales = scales[: MOST_KEYS + 1]
        height = 40 + ROW * len(scales)
        figure = figure_json(
            list(_lines(configs, scales, material)),
            x={"visible": False, "range": [ABSENT - 0.03, 1.05]},
            y={
                "range": [0.4, len(scales) + 0.6],
                "tickvals": [len(scales) - row for row in range(len(scales))],
                "ticktext": [scale.name for scale in scales],
                "tickfont": {"size": 12, "color": INK},
                "showgrid": False,
                "showline": False,
                "ticks": "",
            },
            height=height,
            annotations=list(_written(scales, material)),
            shapes=list(_rails(scales)),
        )
        legend = [LegendMark(ORANGE, "line", text("parallel.mark_first"))]
        if (upper := _coloured(configs) - 1) > 0:
            legend.append(LegendMark(BLUE, "line", text("parallel.mark_upper", n=upper)))
        legend.append(LegendMark(QUIET, "line", text("parallel.mark_others")))
        sentence = text("parallel.shows", criterion=by.label)
        if len(configs) < len(rows):
            sentence += " " + text("parallel.part", shown=len(configs), of=len(rows))
        if len(paths) > MOST_KEYS:
            sentence += " " + text("parallel.keys", shown=MOST_KEYS, of=len(paths))
        return [Chart(sentence, figure, height, legend=legend)]


def _chosen(configs: list[str]) -> list[str]:
    """All of them where they are few, else the first ones and others at equal distances down the ranking."""
    if len(configs) <= MOST_LINES:
        return configs
    rest = configs[TOP:]
    at = np.linspace(0, len(rest) - 1, MOST_LINES - TOP).round().astype(int)
    return [*configs[:TOP], *(rest[place] for place in at)]


def _varied(changes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Settings that differ, those that most configurations have first."""
    paths = sorted({path for change in changes for path in change})
    varied = [path for path in paths if _told(path, changes)]
    return sorted(varied, key=lambda path: -sum(path in change for change in changes))


def _told(path: str, changes: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a setting varies, and is not as good as a name of each configuration."""
    values = [change[path] for change in changes if path in change]
    distinct = len({json.dumps(value) for value in values})
    few = distinct <= MOST_WORDS or all(isinstance(value, (int, float)) for value in values)
    return few and (distinct > 1 or len(values) < len(changes))


def _result(label: str, results: Sequence[float], *, higher: bool) -> Scale:
    """The criterion as the first row, better to the right."""
    low, high = (min(results), max(results)) if higher else (max(results), min(results))
    width = (high - low) or 1.0
    return Scale(
        label, [(value - low) / width for value in results], [(0.0, number(low)), (1.0, number(high))]
    )


def _scale(name: str, values: Sequence[Any]) -> Scale:
    known = [value for value in values if value is not None]
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in known):
        low, high = float(min(known)), float(max(known))
        logarithmic = low > 0 and high / low >= WIDE
        ends = (math.log(low), math.log(high)) if logarithmic else (low, high)
        width = (ends[1] - ends[0]) or 1.0
        places = [
            ABSENT if value is None else ((math.log(value) if logarithmic else value) - ends[0]) / width
            for value in values
        ]
        return Scale(name, places, [(0.0, f"{low:.3g}"), (1.0, f"{high:.3g}")])
    words = sorted({_word(value) for value in known})
    at = {word: place / max(len(words) - 1, 1) for place, word in enumerate(words)}
    ticks = [(place, word) for word, place in at.items()]
    return Scale(name, [ABSENT if value is None else at[_word(value)] for value in values], ticks)


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _lines(configs: Sequence[str], scales: Sequence[Scale], material: Material) -> Iterator[go.Scatter]:
    """The worse ones as one trace, the first ones each as one of its own, which answers the pointer."""
    heights = [float(len(scales) - row) for row in range(len(scales))]
    upper = _coloured(configs)
    lines = [[scale.places[at] for scale in scales] for at in range(len(configs))]
    grey = [place for line in lines[upper:] for place in (*line, math.nan)]
    levels = [place for _ in lines[upper:] for place in (*heights, math.nan)]
    style = {"color": faded(QUIET, 0.45), "width": 1}
    yield go.Scatter(x=numbers(grey), y=numbers(levels), mode="lines", line=style, hoverinfo="skip")
    for at in reversed(range(min(upper, len(configs)))):
        colour, width = (ORANGE, 3.0) if at == 0 else (faded(BLUE, 0.75), 1.5)
        label = f"#{material.places[configs[at]]} {material.labels[configs[at]]}".replace(", ", "<br>")
        yield go.Scatter(
            x=numbers(lines[at]),
            y=numbers(heights),
            mode="lines+markers",
            line={"color": colour, "width": width},
            marker={"size": 5, "color": colour},
            hovertext=label,
            hoverinfo="text",
        )


def _coloured(configs: Sequence[str]) -> int:
    """The first third of few configurations, the first `TOP` of many."""
    return min(math.ceil(len(configs) / 3), TOP)


def _written(scales: Sequence[Scale], material: Material) -> Iterator[dict[str, Any]]:
    font = {"size": 11, "color": QUIET}
    plain = {
        "showarrow": False,
        "xref": "x",
        "yref": "y",
        "font": font,
        "bgcolor": "rgba(255,255,255,0.8)",
        "borderpad": 1,
    }
    for row, scale in enumerate(scales):
        level = len(scales) - row - 0.27
        for place, words in scale.ticks:
            anchor = "left" if place == 0 else "right" if place == 1 else "center"
            yield {**plain, "x": place, "y": level, "text": words, "xanchor": anchor}
    if any(ABSENT in scale.places for scale in scales):
        word = material.texts("parallel.absent")
        yield {**plain, "x": ABSENT - 0.02, "y": 0.55, "text": word, "xanchor": "left"}


def _rails(scales: Sequence[Scale]) -> Iterator[dict[str, Any]]:
    for row in range(len(scales)):
        level = len(scales) - row
        line = {"color": RULE, "width": 2}
        yield {"type": "line", "x0": 0, "x1": 1, "y0": level, "y1": level, "line": line, "layer": "below"}
