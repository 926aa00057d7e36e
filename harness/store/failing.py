"""Units that end without a unit that could say so itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.unit_log import Mark, UnitLog, log_file, read_or_none, rows_frame
from harness.store.damaged import put_aside
from harness.store.exporting import export
from harness.store.log_writer import LogWriter


def fail(run: Path, unit: str, row: Mapping[str, Any]) -> bool:
    """Append to the log of `unit` that it failed; `row` has the keys, the reason, and what is not in the log yet.

    False where it has ended with a result already, which stays. Frames that an epoch left half-done stay too: whoever
    goes on with the unit cuts them off.

    Raises
    ------
    StoreUnwritable
    """
    log = read_or_none(log_file(run, unit))
    if log is not None and log.ended:
        return False
    if log is not None and log.damage is not None:
        put_aside(log.file)
        log = None
    known = log.row if log is not None else {}
    changed = {
        name: value for name, value in row.items() if name not in known or name in ("status", "reason")
    }
    mark = log.mark if log is not None else Mark(0, "")
    LogWriter(log_file(run, unit), mark).append(rows_frame({**changed, "status": "failed"}, {}))
    return True


def leave_out(run: Path, unit: str, row: Mapping[str, Any]) -> None:
    """Write of a unit that has not begun that it was pruned: a log of one row, and Parquet.

    Raises
    ------
    StoreUnwritable
    """
    log = log_file(run, unit)
    LogWriter(log, Mark(0, "")).append(rows_frame({**row, "status": "pruned"}, {}))
    export(run, UnitLog.read(log))
