"""One input table together with the file it came from, so that every complaint names file and row."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.errors import UserError, nearest
from analysis.nearest_path import nearest_path


@dataclass(frozen=True)
class PairTable:
    """A frame with a plain 0..n-1 index, its file, and how rows of that kind of file are counted."""

    frame: pd.DataFrame
    file: Path
    unit: str
    first: int

    def at(self, index: int) -> str:
        """`FILE, line 7` (CSV, the header is line 1) or `FILE, row 6` (Parquet, counted from 1)."""
        return f"{self.file}, {self.unit} {self.first + int(index)}"

    def columns(self, need: Mapping[str, Sequence[str]], optional: Sequence[str] = ()) -> "PairTable":
        """The same table with only the columns of `need` (name -> accepted spellings) and those of
        `optional`.

        Raises UserError for a column that is missing or there twice, for a table without rows and for an empty value
        in a needed column.
        """
        renames = {}
        have = [str(name) for name in self.frame.columns]
        for name, spellings in need.items():
            present = [spelling for spelling in spellings if spelling in have]
            if not present:
                hint = nearest(spellings[0], have)
                raise UserError(
                    f"{self.file} has no column {' or '.join(spellings)}{hint} (there: {', '.join(have)})"
                )
            # pandas calls the second column of a name in a CSV file NAME.1
            again = [other for other in have if other.rpartition(".")[0] in present and other[-1].isdigit()]
            if len(present) + len(again) > 1 or have.count(present[0]) > 1:
                twice = " and ".join(dict.fromkeys([*present, *again]))
                raise UserError(
                    f"{self.file} has more than one column for the {name.replace('_', ' ')} ({twice}); expected one"
                )
            renames[present[0]] = name
        extra = [name for name in optional if name in have and name not in renames]
        frame = self.frame[[*renames, *extra]].rename(columns=renames)
        if frame.empty:
            raise UserError(f"{self.file} holds no rows; expected at least one")
        for name in need:
            values = frame[name]
            blank = values.isna()
            if not pd.api.types.is_numeric_dtype(values):
                blank |= values.astype(str).str.strip() == ""
            if blank.any():
                where = self.at(int(np.argmax(blank)))
                raise UserError(
                    f"{where}: the {name.replace('_', ' ')} is empty; expected a value in every row"
                )
        return PairTable(frame, self.file, self.unit, self.first)


def rows_of(tables: Sequence[PairTable], root: Path | None = None) -> Callable[[int], str]:
    """Where row i of the tables one below the other stands; with `root`, its file as it lies below that."""
    starts = np.cumsum([0, *(len(table.frame) for table in tables)])

    def at(index: int) -> str:
        number = int(np.searchsorted(starts, index, side="right")) - 1
        table = tables[number]
        named = table if root is None else replace(table, file=table.file.relative_to(root))
        return named.at(index - int(starts[number]))

    return at


def read_csv(file: Path) -> PairTable:
    """A comma-separated table with a header, every value as text.

    Raises UserError for a missing or unreadable file, one that is not UTF-8 text, and rows of another width
    than the header's.
    """
    check_file(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                file,
                dtype=str,
                keep_default_na=False,
                index_col=False,
                skip_blank_lines=False,
                encoding="utf-8-sig",
            )
    except pd.errors.EmptyDataError:
        raise UserError(f"{file} is empty; expected a header line and at least one row") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        reason = " ".join(str(error).split("C error: ")[-1].split())
        raise UserError(
            f"{file} is not a comma-separated table with as many values in every line as "
            f"the header has ({reason})"
        ) from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{file} is not UTF-8 text (byte {error.start}); expected a comma-separated table"
        ) from None
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from None
    blank = (frame.isna() | (frame == "")).all(axis=1).to_numpy()
    used = len(frame) - int(np.argmin(blank[::-1])) if not blank.all() else 0
    return PairTable(frame.iloc[:used], file, "line", 2)


def read_parquet(file: Path) -> PairTable:
    """A Parquet file as a table; what pandas stored as its index is a column like any other.

    Raises UserError for a missing, unreadable or truncated file.
    """
    check_file(file)
    try:
        frame = pq.ParquetFile(file).read().to_pandas(ignore_metadata=True)
    except PermissionError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from None
    except (pa.ArrowException, OSError, EOFError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{file} is not a complete Parquet file; it may be truncated ({reason})") from None
    return PairTable(frame.reset_index(drop=True), file, "row", 1)


def check_file(file: Path) -> None:
    """Raise UserError where `file` is missing, a folder or a pipe, with the nearest name beside it."""
    if file.is_file():
        return
    if file.is_symlink() and not file.exists():
        raise UserError(f"{file} is a link to a file that is not there ({file.readlink()})")
    if file.is_dir():
        raise UserError(
            f"{file} is a folder; expected one file (tables in parts have to be joined into one first)"
        )
    if file.exists():
        raise UserError(
            f"{file} is a pipe, socket or device; expected a file on disk, which can be read again"
        )
    folder = file.parent
    if not folder.is_dir():
        raise UserError(f"{file} is missing: there is no folder {folder}{nearest_path(file)}")
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    raise UserError(
        f"{file} is missing{nearest(file.name, names)} (there: {', '.join(names[:12]) or 'nothing'})"
    )
