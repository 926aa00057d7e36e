"""What one unit leaves behind, and what it goes on from: its log, its checkpoints, and Parquet at its end."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import torch

from analysis.files import filed_units
from analysis.schema import KEYS, to_table
from analysis.unit_log import Mark, UnitLog, log_file, read_or_none, rows_frame, table_frame
from harness.store.damaged import put_aside
from harness.store.exporting import export
from harness.store.log_writer import LogWriter
from harness.store.relogging import write_logs
from harness.store.unit_lock import UnitLock
from harness.store.writer import RunWriter
from harness.trial.checkpoint import Checkpoints, Damaged

Row = dict[str, Any]


@dataclass(frozen=True)
class Continuation:
    """Where a unit continues: its log up to that moment, and the state of the moment.

    `trainer` is None where an ended unit has lost its weights, which it needs no more.
    """

    log: UnitLog
    trainer: dict[str, Any] | None
    state: dict[str, Any]


class Record:
    """The durable side of one unit, of which there is one at a time: another process is refused (StoreUnwritable).

    An epoch appends one frame to the log and then replaces the checkpoint, which says how long the log was: a kill in
    between repeats the epoch. The frames of the end are appended together, the status last; Parquet is made from the
    log after that. A unit that failed keeps its last checkpoint and goes on from it.

    `added` holds rows by table that the next write takes along, whichever it is; `notes` collects a sentence for
    everything that was put aside because it could not be read.
    """

    def __init__(self, run: RunWriter, unit: str, device: torch.device) -> None:
        self.run, self.unit, self.device = run, unit, device
        self.file = log_file(run.path, unit)
        self.writer = LogWriter(self.file)
        folder = run.checkpoint_folder(unit)
        self.lock = UnitLock(folder)
        self.checkpoints = Checkpoints(folder)
        self.notes: list[str] = []
        self.added: dict[str, list[Row]] = {}
        self._whole: dict[str, pa.Table] = {}
        self._written: Row = {}

    def find(self) -> Continuation | None:
        """Where the unit continues; None where it begins. What cannot be used is put aside."""
        log = read_or_none(self.file)
        last = self._load("last")
        if log is None and self.unit in filed_units(self.run.path):
            write_logs(self.run.path, [self.unit])
            log = UnitLog.read(self.file)
        if log is not None and log.ended:
            return self._continuation(log, last)
        if log is not None and last is not None:
            mark = Mark(**last["log"])
            if mark not in log.marks:
                what = log.damage or "it ends before the last epoch that its checkpoint vouches for"
                return self._again(f"logs/{self.unit}.log is damaged: {what}")
            upto = UnitLog.read(self.file, mark.length)
            selected = f"epoch-{upto.row['selected_epoch']}"
            if last.get("selected") is not None:
                self.checkpoints.digests[selected] = last["selected"]
            if upto.ended or self._load(selected) is not None:
                return self._continuation(upto, last)
            return self._again(f"checkpoints/{self.unit}/{selected}.pt is missing or not that of its run")
        if last is not None:
            return self._again(f"logs/{self.unit}.log is missing")
        # Killed in its first epoch, or before, a unit has a beginning of a log and no checkpoint, and nothing is lost.
        if log is not None and log.damage is not None:
            return self._again(f"logs/{self.unit}.log is damaged: {log.damage}")
        epochs = 0 if log is None else int(log.row.get("epochs", 0))
        later = [file for file in self.checkpoints.files() if file.stem not in ("last", "epoch-1")]
        begun = epochs > 1 or bool(later) or (epochs == 1 and log is not None and log.torn)
        return self._again("it has no checkpoint") if begun or self.notes else None

    def begin(self, row: Row) -> None:
        """The first frame: the unit runs."""
        self.writer.append(self._unit_frame(row, {}))

    def add(self, table: str, rows: Sequence[Row]) -> None:
        """Rows of a table for the next write."""
        self.added[table] = [*self.added.get(table, ()), *rows]

    def add_whole(self, table: str, rows: Sequence[Row]) -> None:
        """All rows of a table that is written once, at the end, without the columns that name the unit."""
        key = {column: self._written[column] for column in KEYS}
        self._whole[table] = to_table(table, [{**key, **row} for row in rows])

    def settle(self) -> UnitLog:
        """Write what the final evaluation left, but the row of `ledger`, and read the log again as it is on disk.

        A unit that is killed after this and before `end` goes on from its last epoch, and these frames are cut off.
        """
        small = {name: rows for name, rows in self.added.items() if name != "ledger"}
        whole = (table_frame(name, table) for name, table in self._whole.items())
        self.writer.append(rows_frame({}, small), *whole)
        self.added = {name: rows for name, rows in self.added.items() if name == "ledger"}
        self._whole.clear()
        return UnitLog.read(self.file)

    def epoch(
        self, row: Row, tables: Mapping[str, Sequence[Row]], trainer: dict[str, Any], state: Row
    ) -> None:
        """Rows of a finished epoch first, then the checkpoint that makes them final."""
        self.writer.append(self._unit_frame(row, {**self.added, **tables}))
        self._checkpoint(row, trainer, state)
        self.added.clear()

    def end(self, row: Row, weights: dict[str, Any], state: Row) -> None:
        """The rows of the end, and how it ended as the very last; then Parquet, unless the unit is to be tried again."""
        whole = (table_frame(name, table) for name, table in self._whole.items())
        frames = [rows_frame({}, self.added), *whole]
        self.writer.append(*frames, self._unit_frame(row, {}))
        if row["status"] != "failed":
            # An ended unit never steps again, so its optimiser (two thirds of the file) is not kept.
            self._checkpoint(row, weights, state)
            export(self.run.path, UnitLog.read(self.file))

    def rows(self, table: str) -> list[Row]:
        """All rows of a table so far, read from the log."""
        log = read_or_none(self.file)
        return [] if log is None else log.rows(table)

    def _continuation(self, log: UnitLog, last: dict[str, Any] | None) -> Continuation:
        if log.ended and self.unit not in filed_units(self.run.path):
            export(self.run.path, log)
        self.writer.mark = log.mark
        self._written = dict(log.row)
        state = {} if last is None else json.loads(last["state"])
        return Continuation(log, None if last is None else last["trainer"], state)

    def _load(self, name: str) -> dict[str, Any] | None:
        try:
            return self.checkpoints.load(name, self.device)
        except Damaged as error:
            aside = put_aside(error.file)
            self.notes.append(f"checkpoints/{self.unit}/{error} and was put aside as {aside.name}")
            return None

    def _again(self, why: str) -> Continuation | None:
        """Put aside what there is of the unit, and note that it starts again."""
        there = [file for file in (self.file, *self.checkpoints.files()) if os.path.lexists(file)]
        aside = [put_aside(file) for file in there]
        self.checkpoints.digests.clear()
        kept = f" ({', '.join(file.name for file in aside)} put aside)" if aside else ""
        self.notes.append(f"unit {self.unit} starts again from its first epoch: {why}{kept}")
        return None

    def _unit_frame(self, row: Row, tables: Mapping[str, Sequence[Row]]) -> bytes:
        changed = {
            name: value
            for name, value in row.items()
            if name not in self._written or self._written[name] != value
        }
        self._written = dict(row)
        return rows_frame(changed, tables)

    def _checkpoint(self, row: Row, trainer: dict[str, Any], state: Row) -> None:
        mark, selected = self.writer.mark._asdict(), f"epoch-{row['selected_epoch']}"
        named = {"log": mark, "selected": self.checkpoints.digests.get(selected), "state": json.dumps(state)}
        self.checkpoints.save("last", {"trainer": trainer, **named})
        self.checkpoints.keep("last", selected)
