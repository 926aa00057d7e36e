"""What somebody reported, as rows of the store: one unit per name and seed."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from analysis.imports.columns import METRICS
from analysis.imports.results import Place, Reported
from analysis.schema import ALWAYS, KEYS, MACRO, POOLED, REPORTED_BY_OTHERS, UNDATED

FOLD = "imported"
"""The one fold of a run of imported results: the cell lines that they are about."""
Row = dict[str, Any]


def identity(name: str) -> str:
    """The identity of a name's configuration."""
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def unit_rows(reported: Reported, prevalence: float | None) -> dict[str, list[Row]]:
    """Table -> rows of one name and seed; `prevalence`: share of positives where the file does not say."""
    key = dict(zip(KEYS, (identity(reported.name), FOLD, reported.seed), strict=True))
    last = _last_epoch(reported)
    measured = _by_place(reported, "cells")
    at_end = {line: values for (epoch, line), values in measured.items() if epoch is None}
    epochs = sorted({epoch for epoch, _ in measured if epoch is not None})
    cells: list[Row] = []
    for epoch in epochs:
        lines = {line: values for (at, line), values in measured.items() if at == epoch}
        cells += _evaluation(lines, prevalence, {"epoch": epoch, "selection": "epoch"})
        at_end = at_end if at_end or epoch != epochs[-1] else lines
    cells += _evaluation(at_end, prevalence, {"epoch": last, "selection": "best_on_validation"})
    tables: dict[str, list[Row]] = {table: [] for table in ALWAYS}
    tables |= {"units": [_unit(reported, last)], "cells": cells, "epochs": _epochs(reported, last)}
    return {table: [{**key, **row} for row in rows] for table, rows in tables.items()}


def _last_epoch(reported: Reported) -> int:
    """The epoch that what has none is of: the last known one, whose train AUPR must then be the one at the end."""
    at_end = _mean_of_lines(reported.values.get("train_aupr", {}), None)
    trained = {
        epoch: _mean_of_lines(reported.values.get("train_aupr", {}), epoch) for epoch in _dated(reported)
    }
    if at_end is not None and any(value is not None for value in trained.values()):
        return max((epoch for epoch, value in trained.items() if value == at_end), default=UNDATED)
    return max(_dated(reported), default=UNDATED)


def _dated(reported: Reported) -> set[int]:
    return {epoch for places in reported.values.values() for epoch, _ in places if epoch is not None}


def _mean_of_lines(places: Mapping[Place, float], epoch: int | None) -> float | None:
    values = [value for (at, _), value in places.items() if at == epoch]
    return float(np.mean(values)) if values else None


def _by_place(reported: Reported, table: str) -> dict[Place, dict[str, float]]:
    places: dict[Place, dict[str, float]] = {}
    for metric, values in reported.values.items():
        if METRICS[metric].table == table:
            for place, value in values.items():
                places.setdefault(place, {})[METRICS[metric].column] = value
    return places


def _epochs(reported: Reported, last: int) -> list[Row]:
    rows: dict[int, Row] = {}
    for metric, places in reported.values.items():
        if METRICS[metric].table == "epochs":
            for epoch in sorted({last if at is None else at for at, _ in places}):
                value = _mean_of_lines(places, epoch)
                value = _mean_of_lines(places, None) if value is None else value
                rows.setdefault(epoch, {"epoch": epoch})[METRICS[metric].column] = value
    return [rows[epoch] for epoch in sorted(rows)]


def _unit(reported: Reported, last: int) -> Row:
    told = {
        "name": reported.name,
        "files": [path.name for path in reported.files],
        "decimals": dict(sorted(reported.decimals.items())),
    }
    numbers = {
        METRICS[metric].column: int(next(iter(places.values())))
        for metric, places in reported.values.items()
        if METRICS[metric].table == "units"
    }
    return {
        "status": "done",
        "selection": REPORTED_BY_OTHERS,
        "selected_epoch": None if last == UNDATED else last,
        "rank_invariant": False,
        "config_json": json.dumps({"import": told}),
        "changes_json": json.dumps({"name": reported.name}),
        **numbers,
    }


def _evaluation(
    lines: Mapping[str | None, Mapping[str, float]], prevalence: float | None, told: Row
) -> Iterator[Row]:
    """Rows of one evaluation: cell lines by name, macro (their mean where it was not reported) and pooled.

    Without cell lines the one number is both. Without a pooled row recall, precision and F1 of all pairs together follow
    from the lines' own where each has its numbers of pairs and positives: every line at its own threshold.
    """
    each = {line: _completed(values, prevalence) for line, values in lines.items()}
    whole = each.pop(None, None) or each.pop(POOLED, None)
    macro = each.pop(MACRO, None)
    if each:
        macro = {**_mean(list(each.values())), **(macro or {})}
        whole = whole or _together(list(each.values()))
    else:
        macro, whole = macro or whole, whole or macro
    named: list[tuple[str | None, Row | None]] = [
        *sorted(each.items(), key=lambda e: str(e[0])),
        (MACRO, macro),
    ]
    for line, values in [*named, (POOLED, whole)]:
        if values:
            kind = {"split": "val_unseen", "score": "corrected", "prevalence_mode": "as_found"}
            counts: Row = {name: int(values[name]) for name in ("n", "positives") if name in values}
            yield {**told, **kind, "protocol": "documented", "cell_line": line, **values, **counts}


def _completed(values: Mapping[str, float], prevalence: float | None) -> Row:
    """A reported row with what follows from it: the threshold that F1 is at is the best one of these very pairs."""
    row: Row = dict(values)
    if "n" in row and "positives" in row and row["n"]:
        row.setdefault("prevalence", row["positives"] / row["n"])
    elif prevalence is not None:
        row.setdefault("prevalence", prevalence)
    if "n" in row and "prevalence" in row:
        row.setdefault("positives", round(row["n"] * row["prevalence"]))
    if "f1" in row and "threshold" in row:
        row.setdefault("f1_oracle", row["f1"])
        row.setdefault("threshold_oracle", row["threshold"])
    return row


def _mean(rows: Sequence[Row]) -> Row:
    names = sorted({name for row in rows for name in row})
    values = {name: [row[name] for row in rows if name in row] for name in names}
    return {
        name: sum(each) if name in ("n", "positives") else float(np.mean(each))
        for name, each in values.items()
    }


def _together(rows: Sequence[Row]) -> Row:
    needed = ("n", "positives", "prevalence", "recall", "precision")
    if not all(row.get("precision", 0) > 0 and all(name in row for name in needed) for row in rows):
        return {}
    hits = sum(row["recall"] * row["positives"] for row in rows)
    called = sum(row["recall"] * row["positives"] / row["precision"] for row in rows)
    n, positives = sum(row["n"] for row in rows), sum(row["positives"] for row in rows)
    if not hits:
        return {}
    rates = {"recall": hits / positives, "precision": hits / called, "f1": 2 * hits / (called + positives)}
    return {"n": n, "positives": positives, "prevalence": positives / n, **rates}
