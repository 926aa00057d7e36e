"""Rows of one table of many units, column by column: numbers as float64, texts as codes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.schema import MACRO, POOLED

Row = Mapping[str, Any]
Rows = pd.DataFrame | Sequence[Row]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]


class Table:
    """Rows of a table with `unit` [rows], the position of each row's unit.

    A data frame, or a list of rows as a trial has them at hand. It may be empty and lack columns: a column that is not
    there is null in every row. A column is converted when somebody asks for it.
    """

    def __init__(self, rows: Rows, unit: Ints | None = None) -> None:
        self.unit: Ints = np.zeros(len(rows), dtype=np.int64) if unit is None else unit
        self._source = _Source(rows)
        self._at: Ints | None = None

    def __len__(self) -> int:
        return len(self.unit)

    def has(self, column: str) -> bool:
        """Whether there is such a column, with values or without."""
        return len(self) > 0 and self._source.has(column)

    def places(self) -> Ints:
        """Positions of the rows [rows] among those that the table was made of."""
        return np.arange(len(self)) if self._at is None else self._at

    def where(self, chosen: Mask | Ints) -> "Table":
        """The rows that are `chosen` [rows], or those at positions."""
        part = Table((), self.unit[chosen])
        part._source, part._at = self._source, self.places()[chosen]
        return part

    def numbers(self, column: str) -> Floats:
        """A column's values [rows], NaN where it is null."""
        whole = self._source.numbers(column)
        return whole if self._at is None else whole[self._at]

    def texts(self, column: str) -> tuple[Ints, tuple[str, ...]]:
        """Codes [rows], -1 where a column is null, and the text of every code."""
        code, names = self._source.texts(column)
        return (code if self._at is None else code[self._at]), names

    def equals(self, column: str, text: str) -> Mask:
        """Where a column is this text [rows]."""
        code, names = self.texts(column)
        return code == (names.index(text) if text in names else len(names))

    def joined_texts(self, columns: Sequence[str]) -> tuple[Ints, tuple[str, ...]]:
        """`texts` of several columns with a space in between; -1 where one of them is null."""
        each = [self.texts(column) for column in columns]
        known = np.all([code >= 0 for code, _ in each], axis=0)
        sizes = [max(len(names), 1) for _, names in each]
        whole = np.ravel_multi_index([np.maximum(code, 0) for code, _ in each], sizes)
        present, code = np.unique(whole[known], return_inverse=True)
        places = np.unravel_index(present, sizes)
        names = [
            " ".join(each[at][1][place[k]] for at, place in enumerate(places)) for k in range(len(present))
        ]
        filled: Ints = np.full(len(self), -1, dtype=np.int64)
        filled[known] = code
        return filled, tuple(names)

    def lines(self) -> tuple[Ints, tuple[str, ...]]:
        """`texts` of `cell_line` with the names in order: macro, cell lines by name, pooled."""
        code, names = self.texts("cell_line")
        order = sorted(range(len(names)), key=lambda at: line_order(names[at]))
        place = np.empty(len(names) + 1, dtype=np.int64)
        place[order], place[-1] = np.arange(len(names)), -1
        lines: Ints = place[code]
        return lines, tuple(names[at] for at in order)


class _Source:
    """The columns of a whole table, each converted once."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._numbers: dict[str, Floats] = {}
        self._texts: dict[str, tuple[Ints, tuple[str, ...]]] = {}

    def has(self, column: str) -> bool:
        if isinstance(self._rows, pd.DataFrame):
            return column in self._rows.columns
        return any(column in row for row in self._rows)

    def numbers(self, column: str) -> Floats:
        if column not in self._numbers:
            values: Any = self._values(column)
            if isinstance(values, pd.Series):
                values = values.to_numpy(dtype=np.float64, na_value=np.nan)
            self._numbers[column] = np.array(values, dtype=np.float64)
        return self._numbers[column]

    def texts(self, column: str) -> tuple[Ints, tuple[str, ...]]:
        if column not in self._texts:
            self._texts[column] = _coded(self._values(column))
        return self._texts[column]

    def _values(self, column: str) -> pd.Series | list[Any]:
        if not isinstance(self._rows, pd.DataFrame):
            return [row.get(column) for row in self._rows]
        return self._rows[column] if column in self._rows.columns else [None] * len(self._rows)


def _coded(values: pd.Series | list[Any]) -> tuple[Ints, tuple[str, ...]]:
    if isinstance(values, list):
        known: dict[str, int] = {}
        each = [known.setdefault(text, len(known)) if isinstance(text, str) else -1 for text in values]
        return np.array(each, dtype=np.int64), tuple(known)
    if isinstance(values.dtype, pd.CategoricalDtype):
        return np.asarray(values.cat.codes, dtype=np.int64), tuple(values.cat.categories)
    code, names = pd.factorize(values)
    return np.asarray(code, dtype=np.int64), tuple(names)


def line_order(name: str) -> tuple[bool, bool, str]:
    """Sorts macro, cell lines by name, pooled."""
    return name == POOLED, name != MACRO, name


def evaluation(rows: Table) -> tuple[Ints, Floats, Mask]:
    """What tells evaluations apart in rows of `cells`: unit, epoch, and whether it is of the reported weights [rows]."""
    return rows.unit, rows.numbers("epoch"), ~rows.equals("selection", "epoch")


def codes(*columns: NDArray[Any]) -> Ints:
    """One number per row [rows] for the combination of its values, whole numbers from 0 on."""
    code = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        whole = column.astype(np.int64)
        code = code * (whole.max(initial=0) + 1) + whole
    return code


def last_of_each(code: Ints) -> Ints:
    """Position of the last row of every number in `code` [rows], in order of the rows."""
    _, backwards = np.unique(code[::-1], return_index=True)
    last: Ints = np.sort(len(code) - 1 - backwards)
    return last


def paired(known: Sequence[NDArray[Any]], asked: Sequence[NDArray[Any]]) -> Ints:
    """Position of the last row among those `known` with the same values in all columns [asked]; -1 where there is
    none."""
    both = codes(*(np.concatenate(columns) for columns in zip(known, asked, strict=True)))
    code, wanted = np.split(both, [len(known[0])])
    last = last_of_each(code)
    last = last[np.argsort(code[last])]
    if not len(last):
        return np.full(len(wanted), -1, dtype=np.int64)
    at = last[np.minimum(np.searchsorted(code[last], wanted), len(last) - 1)]
    return np.where(code[at] == wanted, at, -1)
