"""Results as somebody reported them: files put together by name and seed, checked cell by cell."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from analysis.errors import UserError, nearest
from analysis.imports.columns import (
    EPOCH,
    LINE,
    METRICS,
    NAME,
    SEED,
    key_of,
    metric_of,
    misspelt,
    names_of_metrics,
)
from analysis.imports.table_file import TableFile, column_text, decimals, read_table, refuse_two_spellings

Place = tuple[int | None, str | None]
"""Epoch and cell line of a number; None where the file does not say: the end, and all pairs together."""


@dataclass
class Reported:
    """What was reported under one name and seed: metric -> place -> value, and the decimals that it was written with."""

    name: str
    seed: int
    values: dict[str, dict[Place, float]] = field(default_factory=dict)
    decimals: dict[str, int] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)

    def put(self, metric: str, place: Place, value: float, digits: int) -> bool:
        """Take a number; False where another one was reported for the same place."""
        known = self.values.setdefault(metric, {})
        self.decimals[metric] = max(digits, self.decimals.get(metric, 0))
        return known.setdefault(place, value) == value


@dataclass(frozen=True)
class Results:
    """All that was read, and notes to the person: columns that were not used, names that were taken from a file's."""

    reported: list[Reported]
    notes: list[str]


def read_results(paths: Sequence[Path]) -> Results:
    """The results in some files.

    Raises UserError, with the file and the row or column, for a file that cannot be read, has no metric, an empty name,
    a value that a metric cannot have, a row twice, or that contradicts another.
    """
    _refuse_twice(paths)
    tables = [read_table(path) for path in paths]
    names = {name for table in tables for name in _names(table) or ()}
    notes: list[str] = []
    known: dict[tuple[str, int], Reported] = {}
    spelt: dict[str, tuple[str, str]] = {}
    for table in tables:
        _take(table, names, known, notes, spelt)
    return Results(list(known.values()), notes)


def _refuse_twice(paths: Sequence[Path]) -> None:
    known: dict[Path, Path] = {}
    for path in paths:
        first = known.setdefault(path.resolve(), path)
        if first is not path:
            raise UserError(f"{path}: it is given twice; expected every file once")


def _keys(table: TableFile) -> dict[str, str]:
    """Key -> the column that has it."""
    keys: dict[str, str] = {}
    for column in table.rows.columns:
        key = key_of(column, set(keys))
        if key is not None:
            keys[key] = column
    return keys


def _names(table: TableFile) -> list[str] | None:
    column = _keys(table).get(NAME)
    return column_text(table, column) if column else None


def _take(
    table: TableFile,
    names: set[str],
    known: dict[tuple[str, int], Reported],
    notes: list[str],
    spelt: dict[str, tuple[str, str]],
) -> None:
    keys, count = _keys(table), len(table.rows)
    metrics = _metrics(table, keys, notes)
    rows_named = _names(table)
    if rows_named is None:
        name = _of_file(table.path, names)
        notes.append(f"{table.path.name} has no column 'name': all its rows are taken as those of {name}")
        rows_named = [name] * count
    seeds = _wholes(table, keys.get(SEED), 0)
    epochs = _wholes(table, keys.get(EPOCH), 1)
    lines = column_text(table, keys[LINE]) if LINE in keys else [""] * count
    refuse_two_spellings(table, lines, spelt)
    texts = {metric: column_text(table, column) for metric, column in metrics.items()}
    seen: dict[tuple[str, int | None, int | None, str], int] = {}
    for at, name in enumerate(rows_named):
        if not name:
            raise UserError(f"{table.place(at)}: column '{keys[NAME]}' is empty; every row needs a name")
        key = (name, seeds[at], epochs[at], lines[at])
        if key in seen:
            what = ", ".join(str(each) for each in key if each not in (None, ""))
            raise UserError(f"{table.place(at)}: {what} is in row {seen[key] + 1} already")
        seen[key] = at
        unit = known.setdefault((name, seeds[at] or 0), Reported(name, seeds[at] or 0))
        if table.path not in unit.files:
            unit.files.append(table.path)
        _check_counts(table, at, {metric: values[at] for metric, values in texts.items()})
        if not any(values[at] for values in texts.values()):
            notes.append(f"{table.place(at)}: no metric of {name}")
        for metric, column in metrics.items():
            text = texts[metric][at]
            if text:
                value = _number(table, at, column, metric, text)
                place = (None, None) if METRICS[metric].table == "units" else (epochs[at], lines[at] or None)
                if not unit.put(metric, place, value, decimals(text)):
                    other = unit.values[metric][place]
                    raise UserError(
                        f"{table.place(at)}: {column} {text} of {name}, where another row has {other:g}; leave one out"
                    )


def _check_counts(table: TableFile, at: int, texts: Mapping[str, str]) -> None:
    """Positives are among the pairs."""
    try:
        positives, n = (float(texts.get(name) or "nan") for name in ("positives", "n"))
    except ValueError:
        return  # which is said of its column
    if positives > n:
        raise UserError(f"{table.place(at)}: {texts['positives']} positives of {texts['n']} pairs")


def _metrics(table: TableFile, keys: dict[str, str], notes: list[str]) -> dict[str, str]:
    """Metric -> its column, of all columns that have one."""
    metrics: dict[str, str] = {}
    others = []
    for column in table.rows.columns:
        metric = metric_of(column)
        if column in keys.values():
            continue
        if metric is None and misspelt(column):
            raise UserError(f"{table.path}: unknown column '{column}'{nearest(column, names_of_metrics())}")
        if metric is None:
            others.append(column)
        elif metric in metrics:
            raise UserError(
                f"{table.path}: columns '{metrics[metric]}' and '{column}' are both {metric}; leave one out"
            )
        else:
            metrics[metric] = column
    if not metrics:
        near = next((hint for column in others if (hint := nearest(column, names_of_metrics()))), "")
        raise UserError(
            f"{table.path} has no metric: its columns are {', '.join(table.rows.columns)}{near} "
            f"(known: {', '.join(METRICS)})"
        )
    if others:
        notes.append(f"{table.path.name}: not used: {', '.join(others)} (no metric of the store)")
    return metrics


def _of_file(path: Path, names: set[str]) -> str:
    """The longest of the other files' names that the file's begins with, followed by no letter or digit; or all of it."""
    fitting = [
        name
        for name in names
        if path.stem.startswith(name) and not path.stem[len(name) : len(name) + 1].isalnum()
    ]
    return max(fitting, key=len, default=path.stem)


def _wholes(table: TableFile, column: str | None, lowest: int) -> list[int | None]:
    """A column of whole numbers; None for an empty cell, and everywhere without the column."""
    if column is None:
        return [None] * len(table.rows)
    wholes: list[int | None] = []
    for at, text in enumerate(column_text(table, column)):
        try:
            value = float(text) if text else None
        except ValueError:
            value = math.nan
        if value is not None and not (lowest <= value < 2**31 - 1 and value == int(value)):
            raise UserError(
                f"{table.place(at)}, column '{column}': '{text}' is no whole number from {lowest} on"
            )
        wholes.append(None if value is None else int(value))
    return wholes


def _number(table: TableFile, at: int, column: str, metric: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or not METRICS[metric].possible(value):
        raise UserError(f"{table.place(at)}, column '{column}': '{text}' is not {METRICS[metric].expected}")
    return value
