"""A table that a person has, CSV or Parquet, cell by cell as text, so that no digit of what was reported is lost."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from analysis.errors import UserError, nearest
from analysis.spelt import cell_line_word

TAB = "\t"
SEPARATORS = {";": "semicolons", TAB: "tabs", ",": "commas", "|": "bars"}
"""What programs write between columns."""
MORE_CELLS = re.compile(r"Expected (\d+) fields in line (\d+), saw (\d+)")
"""What pandas says of a row with more cells than the first has."""
KINDS = (".csv", ".tsv", ".parquet", ".pq")


@dataclass(frozen=True)
class TableFile:
    """`rows` of the file with its column names as they are written; texts of a CSV, values of a Parquet file."""

    path: Path
    rows: pd.DataFrame

    @property
    def text(self) -> bool:
        return self.path.suffix.lower() not in (".parquet", ".pq")

    def place(self, at: int) -> str:
        """`results.csv, row 3`: the first row below the header is row 1."""
        return f"{self.path}, row {at + 1}"


def read_table(path: Path) -> TableFile:
    """The table of a file.

    Raises UserError for a file that is not there, is of another kind, cannot be read, has no rows, or a column twice.
    """
    if not path.exists():
        beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        raise UserError(f"{path}: no such file{nearest(path.name, beside)}")
    if path.suffix.lower() not in KINDS or not path.is_file():
        raise UserError(f"{path} is no table: expected a file whose name ends with {', '.join(KINDS)}")
    try:
        rows = _read(path)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text in UTF-8 (byte {error.start})") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, pa.ArrowException, OSError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        counts = MORE_CELLS.search(said)
        if counts is None:
            raise UserError(f"{path} cannot be read as a table: {said}") from None
        columns, line, cells = counts.groups()
        raise UserError(
            f"{path}, line {line}: {cells} cells, and the header has {columns}; a text with a separator in it stands in "
            "quotes, and decimals have a point"
        ) from None
    rows.columns = [str(column).strip() for column in rows.columns]
    twice = rows.columns[rows.columns.duplicated()]
    if len(twice):
        raise UserError(f"{path}: column '{twice[0]}' is there twice")
    if rows.empty:
        raise UserError(f"{path} has no rows")
    return TableFile(path, rows)


def _read(path: Path) -> pd.DataFrame:
    if path.suffix.lower() in (".parquet", ".pq"):
        return pd.read_parquet(path)
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    _refuse_other_separator(path, separator)
    # Header as a row of its own: pandas would rename a column that is there twice, and take a first one as an index.
    whole = pd.read_csv(
        path,
        sep=separator,
        header=None,
        dtype=str,
        keep_default_na=False,
        encoding="utf-8-sig",
        index_col=False,
    )
    rows = whole.iloc[1:].reset_index(drop=True)
    rows.columns = whole.iloc[0].fillna("").tolist()
    return rows


def _refuse_other_separator(path: Path, separator: str) -> None:
    """A file that another sign keeps apart would be read as one column."""
    with path.open(encoding="utf-8-sig") as lines:
        header = lines.readline()
    if separator in header:
        return
    for sign, word in SEPARATORS.items():
        if sign in header:
            wanted = ".csv with commas" if separator == TAB else ".tsv with tabs"
            raise UserError(
                f"{path}: its columns are kept apart by {word}; expected {SEPARATORS[separator]}, or a file {wanted}"
            )


def column_text(table: TableFile, column: str) -> list[str]:
    """A column as stripped texts, "" where a cell is empty, null or a word for nothing (NA, NaN, null, none)."""
    values = table.rows[column]
    # Of a number in single precision the digits that it was rounded from.
    each = values.to_numpy() if values.dtype == "float32" else values.tolist()
    return ["" if _empty(value) else str(value).strip() for value in each]


def _empty(value: object) -> bool:
    missing = value is None or value is pd.NA or (isinstance(value, float | np.floating) and value != value)
    return missing or str(value).strip().lower() in ("", "na", "nan", "null", "none", "n/a")


def decimals(text: str) -> int:
    """Digits after the point that a number was written with: 4 of `0.0500`, 3 of `1.5e-2`."""
    mantissa, _, exponent = text.lower().partition("e")
    after = len(mantissa.partition(".")[2]) - int(exponent or 0)
    return max(after, 0)


def refuse_two_spellings(table: TableFile, lines: Sequence[str], known: dict[str, tuple[str, str]]) -> None:
    """Raise UserError for a cell line [N] that stands in another spelling elsewhere; known: word -> spelling and place, of
    all files. An empty one is of all pairs."""
    for at, line in enumerate(lines):
        if line:
            first, place = known.setdefault(cell_line_word(line), (line, table.place(at)))
            if line != first:
                raise UserError(
                    f"{table.place(at)}: cell line '{line}' is '{first}' in another spelling ({place}); expected one "
                    "spelling per cell line"
                )
