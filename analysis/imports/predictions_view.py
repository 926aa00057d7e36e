"""What resampled loci and distances say of imported predictors, in a terminal."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from analysis.schema import MACRO, POOLED
from analysis.store import Run

FIGURES = "predictors.json"
"""The document of a run with its intervals, differences and figures by distance."""
_MOST = 10
"""Differences that are printed; the document has all."""


def predictions_view(run: Run) -> Iterator[RenderableType]:
    """Notes, intervals, paired differences and figures by distance; nothing for a run without predictors."""
    told = run.document(FIGURES)
    if not told:
        return
    for note in run.document("import.json").get("notes", []):
        yield Text(f"note: {note}", style="yellow")
    yield Text("\nPredictors", style="bold")
    yield Text(_source(told))
    yield _intervals(pd.DataFrame(told["intervals"]))
    yield from _differences(told)
    yield from _by_distance(told)


def _source(told: dict[str, Any]) -> str:
    seeds = "error of seeds: not evaluated here, the ranking has it where a predictor has several"
    if not told["clusters"]:
        return f"no interval: the file has neither regions of enhancers nor chromosomes to resample; {seeds}"
    if told["count"] < 2:
        return f"no interval: all pairs are in one cluster ({told['clusters']}); {seeds}"
    return (
        f"95 % percentile bootstrap of {told['resamples']} resamples over {told['count']} clusters, {told['clusters']}, "
        f"shared by all cell lines: for new loci; {seeds}"
    )


def _table(headings: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(heading, no_wrap=True, justify="left" if heading == headings[0] else "right")
    return table


def _intervals(rows: pd.DataFrame) -> Table:
    table = _table(("predictor", "AUPR", "95 % interval", "pooled", "95 % interval", "AUC"))
    records: Any = rows.to_dict("records")
    known = {(row["predictor"], row["cell_line"], row["metric"]): row for row in records}
    names = dict.fromkeys(rows["predictor"])
    for name in sorted(names, key=lambda each: -_or_lowest(known[(each, MACRO, "aupr")]["value"])):
        macro, pooled, auc = (
            known[(name, *key)] for key in ((MACRO, "aupr"), (POOLED, "aupr"), (MACRO, "auc"))
        )
        cells = [
            _number(macro["value"]),
            _span(macro),
            _number(pooled["value"]),
            _span(pooled),
            _number(auc["value"]),
        ]
        table.add_row(Text(name), *cells)
    return table


def _differences(told: dict[str, Any]) -> Iterator[RenderableType]:
    macro = [row for row in told["differences"] if row["cell_line"] == MACRO]
    if not macro:
        why = "no pair is scored by all of them" if told["common"] == 0 else "there is one predictor"
        yield Text(f"paired differences: not evaluated, {why}", style="magenta")
        return
    yield Text(f"paired differences of macro AUPR on the same {told['common']} pairs and resamples")
    table = _table(("b - a", "difference", "95 % interval"))
    ordered = sorted(macro, key=lambda row: -abs(_or_lowest(row["difference"])))
    for row in ordered[:_MOST]:
        ahead = (row["difference"] or 0) >= 0
        b, a = (row["b"], row["a"]) if ahead else (row["a"], row["b"])
        turned = row if ahead else {"difference": -row["difference"], **_turned(row)}
        table.add_row(Text(f"{b} - {a}"), _number(turned["difference"]), _span(turned))
    yield table
    if len(ordered) > _MOST:
        yield Text(f"{len(ordered) - _MOST} smaller ones stand in {FIGURES}", style="dim")


def _turned(row: dict[str, Any]) -> dict[str, Any]:
    known = row["low"] is not None and row["high"] is not None and not pd.isna(row["low"])
    return {"low": -row["high"], "high": -row["low"]} if known else {"low": None, "high": None}


def _by_distance(told: dict[str, Any]) -> Iterator[RenderableType]:
    if not told["bins"]:
        yield Text("by distance: not evaluated, the file has no distance", style="magenta")
        return
    bins, matched = pd.DataFrame(told["bins"]), {row["predictor"]: row["aupr"] for row in told["matched"]}
    seed = told.get("distance_seed")
    yield Text(
        "macro AUPR by distance (kb), and against negatives weighted to the distances of the positives (matched)"
        + ("" if seed is None else ", of each one's first seed")
    )
    labels = list(dict.fromkeys(bins["bin"]))
    known = {(row["predictor"], row["bin"]): row for row in bins.to_dict("records")}
    counts = [next(row for row in bins.to_dict("records") if row["bin"] == label) for label in labels]
    table = _table(("kb", *labels, "matched"))
    table.add_row("pairs", *(str(row["n"]) for row in counts), "", style="dim")
    table.add_row("positive", *(f"{row['positives'] / row['n']:.3f}" for row in counts), "", style="dim")
    for name, value in matched.items():
        cells = (known[(name, label)]["aupr"] if (name, label) in known else None for label in labels)
        table.add_row(Text(name), *(_number(each, 3) for each in cells), _number(value, 3))
    yield table


def _number(value: float | None, digits: int = 4) -> str:
    return "" if value is None or pd.isna(value) else f"{value:.{digits}f}"


def _or_lowest(value: float | None) -> float:
    return -1.0 if value is None or pd.isna(value) else value


def _span(row: dict[str, Any]) -> str:
    low, high = _number(row["low"]), _number(row["high"])
    return f"{low} to {high}" if low and high else ""
