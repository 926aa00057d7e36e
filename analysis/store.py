"""Reading a run: tables as data frames, tolerant of a run that is still being written."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
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
            self._tables[name] = self._whole(name, TABLES[name]).to_pandas()
        return self._tables[name]

    def as_found(self) -> pd.DataFrame:
        """Rows of `cells` at the prevalence found, in the columns that rankings, rules and figures read.

        A third of the rows and two thirds of the columns of `table("cells")`: what makes large runs readable.
        """
        if "as_found" not in self._tables:
            schema = pa.schema([TABLES["cells"].field(column) for column in _READ_OF_CELLS])
            self._tables["as_found"] = self._whole("cells", schema, _is_as_found).to_pandas()
        return self._tables["as_found"]

    def _whole(
        self, name: str, schema: pa.Schema, rows: Callable[[pa.Table], pa.Table] = lambda t: t
    ) -> pa.Table:
        """The files of a table put together, in the columns of `schema`, thinned by `rows` while they are read."""
        parts = [schema.empty_table()]
        pending: list[pa.Table] = []
        for file in self._files(name):
            part = self._read(file, schema)
            pending += [part] if part is not None else []
            if len(pending) == _AT_ONCE:
                parts.append(rows(pa.concat_tables(pending)))
                pending.clear()
        return pa.concat_tables([*parts, *([rows(pa.concat_tables(pending))] if pending else [])])

    def _files(self, name: str) -> list[Path]:
        folder = self.path / name
        if not folder.is_dir():
            return []
        return sorted(p for p in folder.glob("*.parquet") if not p.name.startswith("."))

    def _read(self, file: Path, schema: pa.Schema) -> pa.Table | None:
        """One file with the columns of the schema, null where the file lacks one."""
        for attempt in range(3):
            try:
                # A small file is read faster without pq.read_table's dataset around it.
                with pq.ParquetFile(file) as opened:
                    present = set(opened.schema_arrow.names)
                    table = opened.read([c for c in schema.names if c in present], use_threads=False)
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
        if table.schema.equals(schema):
            return table.replace_schema_metadata(schema.metadata)
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

    def units(self) -> Iterator[UnitRecords]:
        """Every unit of the run as the rules see it, in the order of `trials`, one at a time."""
        cells = self.as_found()
        parts = {
            "epochs": _UnitRows(self.table("epochs")),
            "terms": _UnitRows(self.table("terms")),
            "cells": _UnitRows(cells[cells["selection"] != "last"]),
        }
        for trial in self.table("trials").to_dict("records"):
            key = tuple(trial[column] for column in KEYS)
            record = {str(column): None if _null(value) else value for column, value in trial.items()}
            yield UnitRecords(trial=record, **{name: rows.of(key) for name, rows in parts.items()})


KEYS = ["config", "fold", "seed"]
"""Columns that name a unit."""

_READ_OF_CELLS = [
    *KEYS, "epoch", "selection", "split", "cell_line", "score", "prevalence_mode", "protocol", "n", "positives",
    "prevalence", "aupr", "auc", "f1", "precision", "recall", "f1_oracle", "threshold_oracle", "nll", "logit_sd",
    "probability_sd",
]  # fmt: skip
_AT_ONCE = 256


def _is_as_found(table: pa.Table) -> pa.Table:
    return table.filter(pc.equal(table["prevalence_mode"], "as_found"))


class _UnitRows:
    """A table's rows unit by unit, as lists: a data frame per unit costs more than all its rules do."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._names = [str(column) for column in frame.columns if column not in KEYS]
        self._columns = [_shared(frame[name]) for name in self._names]
        grouped: dict[Any, Any] = frame.groupby(KEYS, sort=False).indices if len(frame) else {}
        self._at = {unit: np.asarray(at) for unit, at in grouped.items()}

    def of(self, unit: tuple[Any, ...]) -> list[dict[str, Any]]:
        at = self._at.get(unit)
        if at is None:
            return []
        values = zip(*(column[at].tolist() for column in self._columns), strict=True)
        return [dict(zip(self._names, row, strict=True)) for row in values]


def _shared(column: pd.Series) -> np.ndarray:
    """A column's values [n], where equal strings are one object: millions of rows repeat a few names."""
    if not pd.api.types.is_string_dtype(column):
        return column.to_numpy()
    codes, names = pd.factorize(column)
    values: np.ndarray = np.array([*names, None], dtype=object)[codes]
    return values


def _null(value: Any) -> bool:
    return value is None or bool(pd.isna(value))
