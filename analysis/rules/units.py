"""The units (configuration, fold, seed) that rules look at, as columns: a whole run, or one unit by itself."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.rules.readings import Readings
from analysis.rules.table import Floats, Mask, Row, Rows, Table, codes, last_of_each
from analysis.schema import MACRO, POOLED

JUDGED = {
    "val_unseen": ("epoch", "best_on_validation"),
    "test": ("best_on_validation",),
}
"""Split -> the selections whose rows of `cells` rules look at; test stands in evidence and decides nothing."""
NO_ROWS = Table([])


@dataclass(frozen=True)
class UnitRecords:
    """One unit: its row of `units` and its rows of the other tables that rules read, as in `analysis.schema`; `baselines`
    are those of its fold."""

    row: Row
    epochs: Rows = field(default_factory=list)
    terms: Rows = field(default_factory=list)
    cells: Rows = field(default_factory=list)
    mechanisms: Rows = field(default_factory=list)
    reports: Rows = field(default_factory=list)
    audit: Rows = field(default_factory=list)
    baselines: Rows = field(default_factory=list)


class Units:
    """Units by position: `units` has one row of each, the other tables any number, of the epochs so far.

    cells: split -> its rows as found, of the selections in `JUDGED`. Rows without an epoch are left out.
    """

    def __init__(
        self,
        unit_rows: Table,
        epochs: Table,
        terms: Table,
        mechanisms: Table,
        cells: Callable[[str], Table],
        *,
        reports: Table = NO_ROWS,
        audit: Table = NO_ROWS,
        baselines: Table = NO_ROWS,
    ) -> None:
        self.count = len(unit_rows)
        self.unit_rows, self.epochs, self.terms = unit_rows, _dated(epochs), _dated(terms)
        self.mechanisms, self.reports = _dated(mechanisms), _dated(reports)
        self.audit, self.baselines = audit, baselines
        self._cells = cells

    @classmethod
    def of_one(cls, records: UnitRecords) -> "Units":
        """One unit by itself."""
        cells = Table(_plain(records.cells, set(JUDGED)))

        def of_split(split: str) -> Table:
            chosen = cells.equals("split", split) & (cells.texts("cell_line")[0] >= 0)
            chosen &= np.any([cells.equals("selection", each) for each in JUDGED[split]], axis=0)
            if cells.has("prevalence_mode"):
                chosen &= cells.equals("prevalence_mode", "as_found")
            return cells.where(chosen)

        epochs, terms, mechanisms = map(Table, (records.epochs, records.terms, records.mechanisms))
        reports, audit, baselines = map(Table, (records.reports, records.audit, records.baselines))
        beside = {"reports": reports, "audit": audit, "baselines": baselines}
        return cls(Table([records.row]), epochs, terms, mechanisms, of_split, **beside)

    @cached_property
    def unseen(self) -> Table:
        """`val_unseen` rows of `cells`: of every epoch, and of the weights that are reported."""
        return _scored(self, self.unseen_of_each_score)

    @cached_property
    def unseen_of_each_score(self) -> Table:
        """The same rows of both scores, `u_only` and `corrected`."""
        return self._split("val_unseen")

    @cached_property
    def test(self) -> Table:
        """`test` rows of `cells`, of the weights that are reported."""
        return _scored(self, self._split("test"))

    def having(self, table: Table) -> Mask:
        """Which units have rows in a table [units]."""
        having = np.zeros(self.count, dtype=bool)
        having[table.unit] = True
        return having

    def settings(self, path: str) -> list[Any]:
        """Value at a dotted path of the configuration of every unit; None where it has none."""
        codes, _ = self.unit_rows.texts("config_json")
        values: list[Any] = [_at(content, path) for content in self._configurations]
        return [None if code < 0 else values[code] for code in codes.tolist()]

    @cached_property
    def configured(self) -> Mask:
        """Which units have a configuration [units]."""
        codes, _ = self.unit_rows.texts("config_json")
        return np.array([*(isinstance(content, dict) for content in self._configurations), False])[codes]

    @cached_property
    def _configurations(self) -> list[Any]:
        return [json.loads(text or "null") for text in self.unit_rows.texts("config_json")[1]]

    def series(self, column: str) -> Readings:
        """A column of `epochs` wherever it is not null, one series per unit."""
        readings = _known(self.epochs, {column: self.epochs.numbers(column)})
        return readings.with_values({}, [(f"{column} of the table epochs", ~readings.has(self.count))])

    def cells(self, columns: Sequence[str], *, optional: Sequence[str] = (), pooled: bool = True) -> Readings:
        """Unseen validation rows, one series per cell line and, with `pooled`, one for all pairs.

        A row in which one of `columns` is null is skipped; one of `optional` may be null.
        """
        rows = self.unseen
        none = ~self.having(rows)
        absent = ", ".join(column for column in columns if not rows.has(column))
        lacks = [
            ("rows of split val_unseen in the table cells", none),
            (f"column {absent} of the table cells", ~none & bool(absent)),
            (f"values of {', '.join(columns)} for the unseen validation cell lines", ~none),
        ]
        chosen = ~rows.equals("cell_line", MACRO)
        if not pooled:
            chosen &= ~rows.equals("cell_line", POOLED)
        for column in columns:
            chosen &= ~np.isnan(rows.numbers(column))
        rows = rows.where(chosen)
        values = {name: rows.numbers(name) for name in (*columns, *optional)}
        return Readings.of_lines(rows, values, lacks)

    def before_training(self, values: Mapping[str, Floats], lacks: Sequence[tuple[str, Mask]]) -> Readings:
        """Values per unit [units] that are known before training, of the units that lack nothing."""
        at = np.flatnonzero(~np.any([lacking for _, lacking in lacks], axis=0))
        kept = {name: column[at] for name, column in values.items()}
        return Readings.of_units(at, np.full(len(at), np.nan), kept, lacks)

    def _split(self, split: str) -> Table:
        """Rows of one split, of one protocol per unit: a rule never mixes two ways of measuring. The protocol `exact` is
        preferred to `documented`."""
        return _preferred(self, _dated(self._cells(split)), "protocol", "exact")


def unseen_lines(units: Units) -> NDArray[np.int64]:
    """How many unseen cell lines each unit [units] has rows of."""
    rows = units.unseen
    rows = rows.where(~rows.equals("cell_line", MACRO) & ~rows.equals("cell_line", POOLED))
    line, _ = rows.lines()
    return np.bincount(rows.unit[last_of_each(codes(rows.unit, line))], minlength=units.count)


def _scored(units: Units, rows: Table) -> Table:
    """One score per unit, since a rule judges what is predicted: `corrected` rather than `u_only`."""
    return _preferred(units, rows, "score", "corrected")


def _preferred(units: Units, rows: Table, column: str, text: str) -> Table:
    chosen = rows.equals(column, text)
    return rows.where(chosen | ~units.having(rows.where(chosen))[rows.unit])


def _plain(cells: Rows, splits: set[str]) -> Rows:
    """Rows of these splits: most of what a trial measures after an epoch is of none that rules look at."""
    if isinstance(cells, pd.DataFrame):
        return cells
    return [row for row in cells if row.get("split") in splits]


def _dated(table: Table) -> Table:
    return table.where(~np.isnan(table.numbers("epoch")))


def _known(table: Table, values: Mapping[str, Floats]) -> Readings:
    """One series per unit of the rows in which every value is known."""
    rows = ~np.any([np.isnan(column) for column in values.values()], axis=0)
    kept = {name: column[rows] for name, column in values.items()}
    return Readings.of_units(table.unit[rows], table.numbers("epoch")[rows], kept)


def _at(content: Any, path: str) -> Any:
    for key in path.split("."):
        content = content.get(key) if isinstance(content, dict) else None
    return content
