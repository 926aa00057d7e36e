"""One unit of the store with the rows that trackers are given: of many at once, or of one that has just ended."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.errors import UserError
from analysis.files import TableFiles, unit_names
from analysis.schema import LEAKING, TABLES
from analysis.store import Run
from analysis.unit_log import UnitLog, log_file

READ = ("epochs", "terms", "reports", "cells", "warnings")
"""Tables beside `units` whose rows trackers get."""
_SELECTIONS = ("epoch", "best_on_validation")


@dataclass(frozen=True)
class StoredUnit:
    """`row` of the table `units`, its status as it is at this moment, and the unit's rows of the tables `READ`; not
    `whole` where rows of it were in a file that could not be read."""

    name: str
    row: Mapping[str, Any]
    tables: Mapping[str, pa.Table]
    whole: bool = True

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Rows of a table, in the order in which they were written."""
        rows: list[dict[str, Any]] = self.tables[table].to_pylist() if table in self.tables else []
        return rows


def fingerprint(row: Mapping[str, Any]) -> str:
    """Hash of a unit's row: another one as soon as the unit has another status, epoch, stamp or time of ending."""
    text = json.dumps({key: str(value) for key, value in row.items()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def stored_rows(run: Run) -> dict[str, dict[str, Any]]:
    """Name of every unit that the plan asks for -> its row of `units`, by name."""
    asked = run.table("units")
    names = {f"{c}-{f}-{s}" for c, f, s in zip(asked["config"], asked["fold"], asked["seed"], strict=True)}
    table = TableFiles(run.path / "units", run.problems, run.lost).read(TABLES["units"])
    rows = zip(unit_names(table).to_pylist(), table.to_pylist(), strict=True)
    return {
        name: {**row, "status": run.state(row["status"])}
        for name, row in sorted(rows, key=lambda pair: pair[0])
        if name in names
    }


def stored_units(run: Run, rows: Mapping[str, Mapping[str, Any]]) -> Callable[[str], StoredUnit]:
    """unit(name): a unit of `rows`, from the tables of the whole run, which are read once, here."""
    slices: dict[str, dict[str, pa.Table]] = {}
    incomplete: set[str] = set()
    for table in READ:
        files = TableFiles(run.path / table, run.problems, run.lost)
        is_cells = table == "cells"
        whole = files.read(TABLES[table], *((_tracked_cells, _tracked_group) if is_cells else ()))
        slices[table] = dict(_by_unit(whole))
        incomplete |= files.incomplete
    return lambda name: StoredUnit(
        name,
        rows[name],
        {table: units[name] for table, units in slices.items() if name in units},
        whole=name not in incomplete,
    )


def logged_unit(run: Run, name: str) -> StoredUnit:
    """A unit that has just ended, from its log alone: what that costs does not grow with the run.

    Raises UserError for a log that is not there or does not hold the unit's row.
    """
    try:
        log = UnitLog.read(log_file(run.path, name))
    except OSError as error:
        raise UserError(f"logs/{name}.log cannot be read: {error.strerror}") from None
    (row,) = log.table("units").to_pylist() or [None]
    if row is None:
        raise UserError(f"logs/{name}.log holds no row of its unit: {log.damage or 'it has only begun'}")
    tables = {table: log.table(table) for table in READ}
    cells = _tracked_cells(tables["cells"])
    return StoredUnit(name, row, {**tables, "cells": cells}, whole=log.damage is None)


def _tracked_cells(table: pa.Table) -> pa.Table:
    """As found, after every epoch or of the reported weights; what chose itself on test is left out."""
    wanted = pc.and_(
        pc.equal(table["prevalence_mode"], "as_found"),
        pc.is_in(table["selection"], value_set=pa.array(_SELECTIONS)),
    )
    return table.filter(pc.and_(wanted, pc.not_equal(table["score"], LEAKING)))


def _tracked_group(group: tuple[str, ...]) -> bool:
    return group[0] == "as_found" and group[2] in _SELECTIONS


def _by_unit(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """Name of every unit with its rows, in their order."""
    if not table.num_rows:
        return
    names = pc.dictionary_encode(unit_names(table).combine_chunks())
    codes = names.indices.to_numpy(zero_copy_only=False)
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(names.dictionary)))
    ordered = table.take(pa.array(order)).combine_chunks()
    for name, start, end in zip(names.dictionary.to_pylist(), [0, *ends[:-1]], ends, strict=True):
        yield name, ordered.slice(start, end - start)
