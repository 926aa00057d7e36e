"""Reading a run: tables as data frames, tolerant of a run that is still being written."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.errors import UserError, nearest
from analysis.rules import UnitRecords
from analysis.schema import SCHEMA_VERSION, TABLES

_MARKERS = ("trials", "plan.json", "sweep.yaml", "provenance.json")


def _is_run(path: Path) -> bool:
    return path.is_dir() and any((path / marker).exists() for marker in _MARKERS)


@dataclass
class Run:
    """One run folder. Tables are read once per instance, so that all numbers of a report are of one moment.

    `problems` collects a sentence for every file that could not be read; nothing is left out silently.
    """

    path: Path
    problems: list[str] = field(default_factory=list)
    _tables: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)
    _units: list[UnitRecords] | None = field(default=None, repr=False)

    @classmethod
    def open(cls, path: Path | str) -> "Run":
        """The run at `path`.

        Raises
        ------
        UserError
            when there is nothing at the path, or something that is not a run (nearest runs are named).
        """
        path = Path(path)
        if not path.exists():
            beside = [p.name for p in path.parent.iterdir() if _is_run(p)] if path.parent.is_dir() else []
            raise UserError(f"{path}: no such run{nearest(path.name, beside)}")
        if not _is_run(path):
            inside = sorted(p.name for p in path.iterdir() if _is_run(p)) if path.is_dir() else []
            hint = f"; it contains the runs {', '.join(inside[:8])}" if inside else ""
            raise UserError(f"{path} is not a run: a run is a folder with trials/ and plan.json in it{hint}")
        return cls(path)

    @property
    def name(self) -> str:
        return self.path.resolve().name

    def table(self, name: str) -> pd.DataFrame:
        """All rows of one table with the columns of its schema; empty when nothing has been written yet.

        Raises ValueError for a table that the schema does not have, UserError for a store of a newer schema.
        """
        if name not in TABLES:
            raise ValueError(f"the store has no table '{name}'; it has {', '.join(TABLES)}")
        if name not in self._tables:
            schema = TABLES[name]
            parts = [self._read(file, schema) for file in self._files(name)]
            whole = pa.concat_tables([schema.empty_table(), *(part for part in parts if part is not None)])
            self._tables[name] = whole.to_pandas()
        return self._tables[name]

    def _files(self, name: str) -> list[Path]:
        folder = self.path / name
        if not folder.is_dir():
            return []
        return sorted(p for p in folder.glob("*.parquet") if not p.name.startswith("."))

    def _read(self, file: Path, schema: pa.Schema) -> pa.Table | None:
        """One file with the columns of the schema, null where the file lacks one."""
        for attempt in range(3):
            try:
                table = pq.read_table(file, partitioning=None)
                break
            except FileNotFoundError:
                return None
            except (pa.ArrowInvalid, OSError) as error:
                # On a network file system a file can change under an open reader; the next look is whole.
                if attempt == 2:
                    reason = str(error).splitlines()[0]
                    self.problems.append(f"{file.parent.name}/{file.name} cannot be read: {reason}")
                    return None
                time.sleep(0.05)
        version = int((table.schema.metadata or {}).get(b"schema_version", SCHEMA_VERSION))
        if version > SCHEMA_VERSION:
            raise UserError(
                f"{file} has schema version {version}; this analysis reads up to {SCHEMA_VERSION}, update it"
            )
        columns = []
        for column in schema:
            if column.name in table.column_names:
                columns.append(table[column.name].cast(column.type))
            else:
                columns.append(pa.nulls(table.num_rows, column.type))
        return pa.table(columns, schema=schema)

    def document(self, name: str) -> dict[str, Any]:
        """A JSON document of the run (plan.json, provenance.json), empty when it has not been written."""
        file = self.path / name
        if not file.exists():
            return {}
        try:
            loaded: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            self.problems.append(f"{name} cannot be read: {error}")
            return {}
        return loaded

    def units(self) -> list[UnitRecords]:
        """Every unit of the run as the rules see it, in the order of `trials`."""
        if self._units is None:
            self._units = list(self._read_units())
        return self._units

    def _read_units(self) -> Iterator[UnitRecords]:
        parts = {name: dict(list(self.table(name).groupby(KEYS))) for name in ("epochs", "terms", "cells")}
        for trial in self.table("trials").to_dict("records"):
            key = tuple(trial[column] for column in KEYS)
            rows = {name: groups.get(key, self.table(name).iloc[:0]) for name, groups in parts.items()}
            record = {str(column): None if _null(value) else value for column, value in trial.items()}
            yield UnitRecords(trial=record, **rows)


KEYS = ["config", "fold", "seed"]
"""Columns that name a unit."""


def _null(value: Any) -> bool:
    return value is None or bool(pd.isna(value))
