"""The ledgers of a whole run, unit by unit."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from analysis.files import TableFiles, unit_names
from analysis.ledger.figures import READ
from analysis.ledger.selected import TOLD_BY_EPOCH, objectives, told_by_epoch
from analysis.ledger.unit import UnitLedger
from analysis.ledger.verify import Verification, verify_unit, written_hash
from analysis.schema import TABLES
from analysis.store import Run
from analysis.unit_log import ENDED

PREDICTED = tuple(status for status in ENDED if status != "diverged")
"""Statuses of units whose end has predictions."""


@dataclass(frozen=True)
class UnitVerification:
    """A unit by its name and configuration, its energy form (None without a row of `ledger`), its number of predictions,
    and what was verified of it."""

    name: str
    config: str
    form: str | None
    predictions: int
    verification: Verification


class RunLedger:
    """Every unit of a run that ended with predictions: `units` names them, `verify` judges them one by one.

    Units that the plan no longer asks for count too: they stand in the store.
    """

    def __init__(self, run: Run) -> None:
        self._rows = {name: _by_unit(_read(run, name)) for name in ("ledger", "predictions", "embeddings")}
        self._cells = _by_unit(_read(run, "cells"))
        self._units = {name: table.to_pylist()[0] for name, table in _by_unit(_read(run, "units")).items()}
        self.units = sorted(
            name for name, row in self._units.items() if row["status"] in PREDICTED and row["epochs"]
        )

    def verify(self) -> Iterator[UnitVerification]:
        for name in self.units:
            row = self._units[name]
            tables = {of: rows.get(name, TABLES[of].empty_table()) for of, rows in self._rows.items()}
            ledger = tables["ledger"].to_pylist()
            if len(ledger) != 1:
                text = f"it has {len(ledger)} rows of the table ledger, and one is written as a unit ends"
                verification = Verification(0, 0.0, 0.0, (), (text,))
            else:
                cells = self._cells.get(name, TABLES["cells"].empty_table())
                verification = self._verified(ledger[0], tables, cells, row)
            form = ledger[0]["form"] if ledger else None
            yield UnitVerification(
                name, name.split("-")[0], form, tables["predictions"].num_rows, verification
            )

    def _verified(
        self,
        ledger: Mapping[str, Any],
        tables: Mapping[str, pa.Table],
        cells: pa.Table,
        row: Mapping[str, Any],
    ) -> Verification:
        unit = unit_ledger(ledger, tables["predictions"], tables["embeddings"], cells, row)
        verification = verify_unit(unit)
        written = ledger["files"]
        if written is None or written == written_hash(tables["predictions"], tables["embeddings"]):
            return verification
        text = "predictions or embeddings are not those that were verified as the unit ended (their hash is another)"
        return Verification(
            verification.recomputed,
            verification.largest,
            verification.gap,
            verification.energy,
            (*verification.record, text),
            verification.why_not,
        )


def unit_ledger(
    ledger: Mapping[str, Any],
    predictions: pa.Table,
    embeddings: pa.Table,
    cells: pa.Table,
    row: Mapping[str, Any],
) -> UnitLedger:
    """The ledger of a unit from its tables and its row of `units`."""
    reported = cells.filter(pc.equal(cells["selection"], "best_on_validation"))
    objective = str(row.get("objective") or "")
    return UnitLedger(
        ledger=ledger,
        predictions=predictions.to_pandas(),
        embeddings=embeddings.drop_columns(["z_e"]).to_pandas(),
        cells=reported.select(READ).to_pylist(),
        settings=json.loads(row.get("config_json") or "{}"),
        half=str(row.get("device", "")).startswith("cuda"),
        objective=objective,
        objectives=objectives(told_by_epoch(cells).to_pylist(), objective) if objective else {},
        objective_value=row.get("objective_value"),
    )


def _read(run: Run, name: str) -> pa.Table:
    files = TableFiles(run.path / name, run.problems, run.lost)
    if name != "cells":
        return files.read(TABLES[name])
    return files.read(TABLES[name], _judged, _has_judged)


def _judged(cells: pa.Table) -> pa.Table:
    """Rows of the reported weights, and those that an epoch is selected by."""
    reported = cells.filter(pc.equal(cells["selection"], "best_on_validation"))
    return pa.concat_tables([reported, told_by_epoch(cells)])


def _has_judged(group: tuple[str, ...]) -> bool:
    mode, split, selection = group
    values = {"prevalence_mode": mode, "split": split, "selection": selection}
    return selection == "best_on_validation" or all(
        value in TOLD_BY_EPOCH[name] for name, value in values.items()
    )


def _by_unit(table: pa.Table) -> dict[str, pa.Table]:
    """Rows of every unit, in their order."""
    if table.num_rows == 0:
        return {}
    codes, names = pd.factorize(unit_names(table).to_pandas())
    order = np.argsort(codes, kind="stable")
    table = table.take(pa.array(order)) if np.any(np.diff(codes) < 0) else table
    counts = np.bincount(codes)
    starts = np.concatenate([[0], np.cumsum(counts)])
    return {str(name): table.slice(int(starts[at]), int(counts[at])) for at, name in enumerate(names)}
