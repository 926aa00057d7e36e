"""One CSV file of rows by key, to which rows are added; written anew only for a new column or in place of older rows."""

import csv
import hashlib
import io
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.errors import UserError

KEY = "key"
"""The first column: which tracked run a row is of."""


class CsvTable:
    """Rows of `file` by tracked run. A kill leaves whole rows, or one half a line at the end, which is cut off when the
    file is opened again; a cell without a value is empty. Raises UserError for a file that is no such table."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.columns: list[str] = [KEY]
        self.rows_of: Counter[str] = Counter()
        """Number of rows by tracked run."""
        if file.exists():
            content = file.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            if len(whole) < len(content):
                os.truncate(file, len(whole))
            rows = self._rows()
            self.columns = next(rows, self.columns)
            if self.columns[:1] != [KEY]:
                raise UserError(f"{file} is there, and no export wrote it; give another --out")
            self.rows_of.update(row[0] for row in rows if row)

    def put(self, rows_by_key: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Add the rows of these tracked runs, in place of those that the file has of the same ones."""
        names = dict.fromkeys(name for rows in rows_by_key.values() for row in rows for name in row)
        new = [name for name in names if name not in set(self.columns)]
        replaced = self.rows_of.keys() & rows_by_key.keys()
        kept: list[list[str]] = []
        if new or replaced or not self.file.exists():
            old = self._rows() if self.file.exists() else iter(())
            kept = [row + [""] * len(new) for row in old if row and row[0] not in replaced][1:]
            self.columns = [*self.columns, *new]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for key, rows in rows_by_key.items():
            for row in rows:
                writer.writerow([key, *(_cell(row.get(name)) for name in self.columns[1:])])
        for key, rows in rows_by_key.items():
            self.rows_of[key] = len(rows)
        if new or replaced or not self.file.exists():
            self._replace([self.columns, *kept], text.getvalue())
        else:
            with self.file.open("a", encoding="utf-8", newline="") as stream:
                stream.write(text.getvalue())
                stream.flush()
                os.fsync(stream.fileno())

    def digests(self) -> dict[str, str]:
        """Tracked run -> `digest` of the rows that the file has of it now."""
        rows_of: dict[str, list[dict[str, str]]] = {}
        for row in self._rows() if self.file.exists() else ():
            if row and row != self.columns:
                rows_of.setdefault(row[0], []).append(dict(zip(self.columns[1:], row[1:], strict=False)))
        return {key: digest(rows) for key, rows in rows_of.items()}

    def _rows(self) -> Iterator[list[str]]:
        with self.file.open(encoding="utf-8", newline="") as stream:
            yield from csv.reader(stream)

    def _replace(self, rows: list[list[str]], rest: str) -> None:
        draft = self.file.with_name(f".{self.file.name}")
        with draft.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows(rows)
            stream.write(rest)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(self.file)


def digest(rows: Sequence[Mapping[str, Any]]) -> str:
    """Of the cells that have a value, whatever columns there are beside them."""
    cells = [sorted((name, text) for name, value in row.items() if (text := _cell(value))) for row in rows]
    return hashlib.blake2b(repr(cells).encode(), digest_size=6).hexdigest()


def _cell(value: Any) -> str:
    """A number so that it reads back as itself; a line break in a text is a space, so that a row is a line."""
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else " ".join(str(value).splitlines())
