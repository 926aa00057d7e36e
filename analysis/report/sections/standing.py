"""The ranking: who leads, with what interval, beside the baselines."""

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import plotly.graph_objects as go

from analysis.criteria import CRITERIA
from analysis.fidelity.view import fidelity_sentences
from analysis.flags import counts_against_health
from analysis.report.content import Block, Cell, Chart, LegendMark, Paragraph, RowTable
from analysis.report.drawing import BLUE, INK, ORANGE, QUIET, figure_json, numbers
from analysis.report.material import Material, number
from analysis.report.section import Section
from analysis.reported import AUDIT_STOP

LONG = 40
"""Characters of a name from which on all names stand below their rows."""
DRAWN = 15
"""Configurations that the figure has; the table has more of them."""


class RankingSection(Section):
    """Configurations in order with their intervals, and the same numbers as a table."""

    key: ClassVar[str] = "ranking"

    def blocks(self, material: Material) -> Sequence[Block] | None:
        return [_figure(material), _table(material), *_notes(material)]


def _figure(material: Material) -> Chart:
    text, ranking = material.texts, material.ranking
    rows, by = material.rows.head(DRAWN), ranking.by
    counted = set(ranking.findings.loc[counts_against_health(ranking.findings), "config"])
    beside = [(row["baseline"], row[by.key]) for row in ranking.baselines.to_dict("records")]
    beside = [(name, value) for name, value in beside if not math.isnan(value)]
    names = [f"#{row.rank} {row.short}" for row in rows.itertuples()]
    colours = [ORANGE if config in counted else BLUE for config in rows["config"]]
    # A warning is told by shape as well as by colour.
    symbols = [
        ("square" if config in counted else "circle") + ("" if complete else "-open")
        for config, complete in zip(rows["config"], rows["complete"], strict=True)
    ]
    hover = [
        text(
            "ranking.hover",
            label=_wrapped(row["label"]),
            value=number(row["value"]),
            low=number(row["low"]),
            high=number(row["high"]),
        )
        for row in rows.to_dict("records")
    ]
    spans = {"type": "data", "symmetric": False, "color": QUIET, "thickness": 1.5, "width": 4}
    spans |= {
        "array": numbers(rows["high"] - rows["value"]),
        "arrayminus": numbers(rows["value"] - rows["low"]),
    }
    marks = {"size": 11, "color": colours, "symbol": symbols, "line": {"width": 2, "color": colours}}
    traces = [
        go.Scatter(
            x=numbers(rows["value"]),
            y=names,
            mode="markers",
            marker=marks,
            error_x=spans,
            hovertext=hover,
            hoverinfo="text",
        ),
        go.Scatter(
            x=numbers([value for _, value in beside]),
            y=[name for name, _ in beside],
            mode="markers",
            marker={"size": 9, "symbol": "diamond", "color": QUIET},
            hovertext=[f"{name}: {number(value)}" for name, value in beside],
            hoverinfo="text",
        ),
    ]  # fmt: skip
    order = [*names, *(name for name, _ in beside)]
    height = 70 + 26 * len(order)
    best = float(rows["value"].iloc[0])
    guide = {
        "type": "line", "xref": "x", "yref": "paper", "x0": best, "x1": best, "y0": 0, "y1": 1,
        "line": {"color": INK, "width": 1, "dash": "dot"}, "layer": "below",
    }  # fmt: skip
    figure = figure_json(
        traces,
        x={"title": text.said(by.label)},
        y={
            "type": "category",
            "categoryorder": "array",
            "categoryarray": order[::-1],
            "range": [-0.7, len(order) - 0.3],
            "showgrid": False,
        },
        height=height,
        shapes=[guide],
    )
    direction = text("ranking.higher" if by.higher_is_better else "ranking.lower")
    legend = [
        LegendMark(colour, shape, text(f"ranking.mark_{name}"))
        for colour, shape, name in ((BLUE, "dot", "plain"), (ORANGE, "square", "warned"))
        if colour in colours
    ]
    if not rows["complete"].all():
        legend.append(LegendMark(BLUE, "ring", text("ranking.mark_open")))
    if beside:
        legend.append(LegendMark(QUIET, "diamond", text("ranking.mark_baseline")))
    return Chart(
        text("ranking.shows", criterion=by.label, direction=direction), figure, height, legend=legend
    )


def _wrapped(label: str) -> str:
    """A long name over several lines of a hover text."""
    parts = label.split(", ")
    return "<br>".join(", ".join(parts[at : at + 3]) for at in range(0, len(parts), 3))


def _table(material: Material) -> RowTable:
    text, ranking = material.texts, material.ranking
    by, rows = ranking.by, material.rows[material.rows["config"].isin(material.shown)]
    others = [each for each in CRITERIA.values() if each.key != by.key]
    headings = [
        text("ranking.configuration"),
        text.said(by.label),
        text("ranking.interval"),
        text("ranking.better"),
        *(text.said(each.label) for each in others),
        text("ranking.alone"),
        text("ranking.test"),
        text("ranking.warnings"),
    ]
    marks, long = _marks(ranking.findings), rows["label"].str.len().max() > LONG
    entries: list[tuple[int, float, list[Cell]]] = []
    for row in rows.to_dict("records"):
        notes = (
            [text("ranking.censored", ended=row["censored"], units=row["units"])] if row["censored"] else []
        )
        told = (row["lacking"], row["common_folds"], row["other_lines"])
        notes += [text.said(note) for note in told if note]
        invariant = row["rank_invariant"]
        tie = text(f"ranking.tie_{row['tie']}")
        place = f"#{row['rank']}{tie} {row['short']}"
        if long:
            name = Cell(place, text.joined([row["label"], *notes]), "name")
        else:
            name = Cell(f"{place} {row['label']}", text.joined(notes), "name")
        cells = [
            name,
            Cell(number(row["value"]), style="lead"),
            Cell(_interval(row, material), style="span"),
            Cell("" if row["tie"] == "best" else number(row["p_better"], 2)),
            *(Cell(number(row[each.key])) for each in others),
            Cell(number(row[f"u_{by.key}"]) + (text("ranking.invariant_sign") if invariant else "")),
            Cell(number(row["test_aupr"])),
            Cell(marks.get(row["config"], "")),
        ]
        entries.append((int(row["behind"]), row["value"], cells))
    for row in ranking.baselines.to_dict("records"):
        name = Cell(text("ranking.baseline", name=row["baseline"]), style="name")
        numbers_of = [number(row[each.key]) for each in others]
        values = [number(row[by.key]), "", "", *numbers_of, "", number(row["test_aupr"]), ""]
        entries.append((0, row[by.key], [name, *(Cell(value, style="quiet") for value in values)]))
    entries.sort(
        key=lambda each: (each[0], math.isnan(each[1]), -each[1] if by.higher_is_better else each[1])
    )
    return RowTable(headings, [cells for *_, cells in entries], legend=_legend(material), below=long)


def _interval(row: Mapping[Hashable, Any], material: Material) -> str:
    if math.isnan(row["low"]):
        return material.texts("ranking.no_interval")
    beyond = (
        "" if material.ranking.by.possible(row["low"], row["high"]) else material.texts("ranking.beyond_sign")
    )
    return material.texts("ranking.span", low=number(row["low"]), high=number(row["high"])) + beyond


def _marks(findings: Any) -> dict[str, str]:
    """Configuration -> letters of the rules that the data do not imply."""
    known: dict[str, str] = {}
    raised = findings[~findings["implied"]].drop_duplicates(["config", "rule"])
    for config, mark in zip(raised["config"], raised["mark"], strict=True):
        known[config] = known.get(config, "") + (mark if isinstance(mark, str) and mark else "?")
    return known


def _legend(material: Material) -> str:
    """The signs that the table has, each in a clause."""
    text, rows, by = material.texts, material.rows, material.ranking.by
    shown = {
        "tie_equal": (rows["tie"] == "equal").any(),
        "tie_unknown": (rows["tie"] == "unknown").any(),
        "tie_better": (rows["tie"] == "better").any(),
        "invariant": rows["rank_invariant"].any(),
        "beyond": any(
            not by.possible(low, high) for low, high in zip(rows["low"], rows["high"], strict=True)
        ),
        "p_best": len(rows) > 1,
        "test": rows["test_aupr"].notna().any(),
    }
    values = {
        "rope": f"{material.ranking.rope:g}",
        "span": by.span,
        "regret": number(material.ranking.regret),
    }
    clauses = [
        text(f"ranking.legend_{name}", **values)
        for name, wanted in shown.items()
        if wanted
    ]  # fmt: skip
    return " ".join(clauses)


def _notes(material: Material) -> Iterator[Paragraph]:
    text, ranking = material.texts, material.ranking
    hidden = material.rows.iloc[len(material.shown) :]
    if len(hidden):
        middle = hidden["value"].quantile([0.1, 0.5, 0.9])
        ends = {name: number(value) for name, value in zip(("low", "middle", "high"), middle, strict=True)}
        shown = text.count("configuration", len(hidden))
        yield Paragraph(text("ranking.hidden", n=shown, criterion=ranking.by.label, **ends), tone="quiet")
    if ranking.left_out:
        said = text.listed(f"{count} {status}" for status, count in ranking.left_out.items())
        yield Paragraph(text("ranking.left_out", said=said), tone="quiet")
    for (config, reason), units in ranking.accused.groupby(["config", "reason"], sort=False):
        told, why = text.count("unit", len(units)), text.said(str(reason).removeprefix(AUDIT_STOP))
        yield Paragraph(
            text("ranking.accused", units=told, label=units["label"].iloc[0], config=config, reason=why),
            tone="alert",
        )
    if ranking.mixture:
        yield Paragraph(text("ranking.mixture", sentence=ranking.mixture.sentence()), tone="alert")
    for sentence in fidelity_sentences(ranking.run):
        yield Paragraph(text.said(sentence), tone="alert")
    seeds, folds = int(material.rows["seeds"].max()), int(material.rows["folds"].max())
    covers = "ranking.covers_nothing" if seeds < 2 else "ranking.covers"
    yield Paragraph(
        text(covers, seeds=text.count("seed", seeds), folds=text.count("fold", folds)), tone="quiet"
    )
