"""The records of one unit (configuration, fold, seed) that rules look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

Row = Mapping[str, Any]
Table = pd.DataFrame | Sequence[Row]


@dataclass(frozen=True)
class UnitRecords:
    """One unit's row of `trials` and its rows of `epochs`, `terms` and `cells`, as in `analysis.schema`.

    A table is a DataFrame or a list of rows. It may be empty, lack columns, or hold only the epochs finished so
    far; a rule that misses an input says so.
    """

    trial: Row
    epochs: Table = field(default_factory=list)
    terms: Table = field(default_factory=list)
    cells: Table = field(default_factory=list)
    _rows: dict[tuple[str, ...], list[Row]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def rows(self, split: str, selections: tuple[str, ...]) -> list[Row]:
        """Rows of one split as found, in order of epoch, of one protocol and one score.

        The protocol `exact` is preferred to `documented`, and the score `corrected` to `u_only`: a rule
        judges what is predicted, and never mixes two ways of measuring.
        """
        # Most rules ask for the same rows, after every epoch of every trial.
        key = (split, *selections)
        if key not in self._rows:
            self._rows[key] = self._select(split, selections)
        return self._rows[key]

    def split_rows(self, split: str, selections: tuple[str, ...]) -> pd.DataFrame:
        """`rows` as a DataFrame."""
        return pd.DataFrame(self.rows(split, selections))

    def _select(self, split: str, selections: tuple[str, ...]) -> list[Row]:
        if () not in self._rows:
            self._rows[()] = _plain(self.cells)
        rows = [
            row
            for row in self._rows[()]
            if row.get("split") == split
            and row.get("selection") in selections
            and row.get("prevalence_mode", "as_found") == "as_found"
            and "epoch" in row
            and "cell_line" in row
        ]
        for column, preferred in (("protocol", "exact"), ("score", "corrected")):
            chosen = [row for row in rows if row.get(column) == preferred]
            rows = chosen or rows
        return sorted(rows, key=lambda row: int(row["epoch"]))

    def unseen(self) -> list[Row]:
        """`val_unseen` rows of every epoch and of the reported weights; test never decides a warning."""
        return self.rows("val_unseen", ("epoch", "best_on_validation"))

    def term_rows(self) -> list[Row]:
        """Rows of `terms`."""
        return _plain(self.terms)

    def epoch_values(self, column: str) -> list[tuple[int, float]]:
        """(epoch, value) of a column of `epochs` wherever it is not null, in order of epoch."""
        return _series(_plain(self.epochs), column)

    def train_aupr(self) -> list[tuple[int, float]]:
        """(epoch, macro AUPR on the training subset): from `epochs`, else the train rows of `cells`."""
        logged = self.epoch_values("train_aupr")
        if logged:
            return logged
        return _series([row for row in self.rows("train", ("epoch",)) if row["cell_line"] == "macro"], "aupr")


def number(row: Row, column: str) -> float | None:
    """A row's value as a float; None where it is absent, null or NaN."""
    value = row.get(column)
    # NaN is the one value that differs from itself; pandas' null is no number at all.
    return None if value is None or value is pd.NA or value != value else float(value)


def _plain(table: Table) -> list[Row]:
    if isinstance(table, pd.DataFrame):
        return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
    return list(table)


def _series(rows: Sequence[Row], column: str) -> list[tuple[int, float]]:
    known = [(row.get("epoch"), number(row, column)) for row in rows]
    pairs = [(int(epoch), value) for epoch, value in known if epoch is not None and value is not None]
    return sorted(pairs, key=lambda pair: pair[0])
