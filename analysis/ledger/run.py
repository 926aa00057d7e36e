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
from analysis.schema import KEYS, TABLES
from analysis.store import Run
from analysis.unit_log import ENDED

PREDICTED = tuple(status for status in ENDED if status != "diverged")
"""Statuses of units whose end has predictions."""
BESIDE = ("ledger", "embeddings", "cells", "units")
"""Tables that are read beside predictions."""
AT_ONCE = 100


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

    Held at a time are the predictions of one unit and the other rows of at most AT_ONCE, those of a part where there are
    parts. Units that the plan no longer asks for count too: they stand in the store.
    """

    def __init__(self, run: Run) -> None:
        names = ("predictions", *BESIDE)
        self._files = {name: TableFiles(run.path / name, run.problems, run.lost) for name in names}
        schema = pa.schema([TABLES["units"].field(name) for name in (*KEYS, "status", "epochs")])
        rows = self._files["units"].read(schema)
        ended = pc.and_(pc.is_in(rows["status"], pa.array(PREDICTED)), pc.greater(rows["epochs"], 0))
        self.units = sorted(unit_names(rows.filter(ended)).to_pylist())

    def verify(self) -> Iterator[UnitVerification]:
        """In order of the names within a part, part by part."""
        for names in self._together():
            rows = {name: _by_unit(self._read(name, frozenset(names))) for name in BESIDE}
            for name in names:
                of = {table: each.get(name, TABLES[table].empty_table()) for table, each in rows.items()}
                yield self._unit(name, {**of, "predictions": self._read("predictions", frozenset({name}))})

    def _unit(self, name: str, tables: Mapping[str, pa.Table]) -> UnitVerification:
        ledger = tables["ledger"].to_pylist()
        if len(ledger) != 1:
            text = f"it has {len(ledger)} rows of the table ledger, and one is written as a unit ends"
            verification = Verification(0, 0.0, 0.0, (), (text,))
        else:
            (row,) = tables["units"].to_pylist()
            verification = self._verified(ledger[0], tables, tables["cells"], row)
        form = ledger[0]["form"] if ledger else None
        return UnitVerification(name, name.split("-")[0], form, tables["predictions"].num_rows, verification)

    def _together(self) -> Iterator[list[str]]:
        """The units, at most AT_ONCE at a time: those of a part together."""
        left = dict.fromkeys(self.units)
        for held in self._files["predictions"].parts():
            names = [name for name in sorted(held) if name in left]
            left = {name: None for name in left if name not in held}
            yield from (names[at : at + AT_ONCE] for at in range(0, len(names), AT_ONCE))
        alone = [*left]
        yield from (alone[at : at + AT_ONCE] for at in range(0, len(alone), AT_ONCE))

    def _read(self, name: str, units: frozenset[str]) -> pa.Table:
        if name != "cells":
            return self._files[name].read(TABLES[name], units=units)
        return self._files[name].read(TABLES[name], _judged, _has_judged, units)

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
    settings = json.loads(row.get("config_json") or "{}")
    reported = cells.filter(pc.equal(cells["selection"], "best_on_validation"))
    objective = str(row.get("objective") or "")
    return UnitLedger(
        ledger=ledger,
        predictions=predictions.to_pandas(),
        embeddings=embeddings.drop_columns(["z_e"]).to_pandas(),
        cells=reported.select(READ).to_pylist(),
        settings=settings,
        half=settings.get("model", {}).get("precision") == "bf16",
        objective=objective,
        objectives=objectives(told_by_epoch(cells).to_pylist(), objective) if objective else {},
        objective_value=row.get("objective_value"),
    )


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
