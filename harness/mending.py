"""Damaged files of a store: put aside, made again from what holds the same, and said."""

from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from analysis.files import TableFiles, filed_units, part_units, problem, unit_names
from analysis.schema import COMPACTED, KEYS, PART, TABLES
from analysis.unit_log import UnitLog, log_file, logged_units, rows_frame, table_frame
from harness.damaged import put_aside
from harness.exporting import ALWAYS, export
from harness.log_writer import LogWriter
from harness.moving import drop_rows

WHOLE = ("predictions", "embeddings")
"""Tables that a log keeps as whole ones."""


def mend(run: Path) -> list[str]:
    """Make whole what is damaged, before a run goes on; a sentence for everything that was found. Nobody may write.

    Parquet is made again from the logs, the log of a unit that has ended from its Parquet. A unit whose rows nothing
    holds any more is taken out of the store, so that it runs again. The log of a unit that has not ended is left to
    `harness.trial.record`, which knows what its checkpoint vouches for.

    Raises
    ------
    UserError
        for a store of another version of the schema.
    """
    said: list[str] = []
    logs = {unit: UnitLog.read(log_file(run, unit)) for unit in logged_units(run)}
    ended = {unit: log for unit, log in logs.items() if log.ended}
    before = filed_units(run)
    hurt = [name for name in COMPACTED if _put_aside(run / name, said)]
    lost: set[str] = set()
    for name in hurt:
        have = _held(run / name)
        again = [log for unit, log in ended.items() if unit not in have]
        for log in again:
            export(run, log, [name])
        needed = before if name != "trials" else _held(run / "epochs")
        if name in ALWAYS or name == "predictions":
            lost |= {unit for unit in needed if unit not in have and unit not in ended}
        said.append(
            f"{name}: rows of {len(again)} unit{'s' if len(again) != 1 else ''} made again from their logs"
        )
    if lost:
        drop_rows(run, lost)
        for unit in lost:
            _set_aside_checkpoints(run, unit)
        said.append(f"nothing holds all rows of {', '.join(sorted(lost))} any more: to be run again")
    broken = [log for unit, log in logs.items() if not log.ended and unit in filed_units(run)]
    if broken:
        said += _write_again(run, broken)
    return said


def _put_aside(folder: Path, said: list[str]) -> bool:
    """Whether a table had files that cannot be read; they are put aside."""
    found = False
    for file in sorted(folder.glob("[!.]*.parquet")):
        why = problem(file)
        if why is not None:
            aside = put_aside(file)
            said.append(f"{folder.name}/{file.name} cannot be read ({why}) and was put aside as {aside.name}")
            found = True
    return found


def _held(folder: Path) -> set[str]:
    """Units that a table's files hold."""
    units: set[str] = set()
    for file in folder.glob("[!.]*.parquet"):
        units |= part_units(file) if file.name.startswith(PART) else {file.stem}
    return units


def _set_aside_checkpoints(run: Path, unit: str) -> None:
    for file in sorted((run / "checkpoints" / unit).glob("*.pt")):
        put_aside(file)


def write_logs(run: Path, units: Collection[str]) -> None:
    """Write the logs of ended units from their Parquet, where there are none."""
    tables = {name: _rows_of(run / name, units) for name in COMPACTED}
    for unit in units:
        rows = {name: table.filter(pc.equal(unit_names(table), unit)) for name, table in tables.items()}
        (trial,) = rows.pop("trials").to_pylist()
        whole = [table_frame(name, rows.pop(name)) for name in WHOLE]
        key = {column: trial[column] for column in KEYS}
        small = rows_frame(key, {name: table.to_pylist() for name, table in rows.items()})
        LogWriter(log_file(run, unit)).append(small, *whole, rows_frame(trial, {}))


def _write_again(run: Path, logs: list[UnitLog]) -> list[str]:
    """Logs that are damaged although their units have ended, from the Parquet of these."""
    said = []
    for log in logs:
        file, why = put_aside(log.file), log.damage or "it does not say how the unit ended"
        said.append(
            f"units/{log.file.name} is damaged ({why}): put aside as {file.name}, written again from its Parquet"
        )
    write_logs(run, [log.file.stem for log in logs])
    return said


def _rows_of(folder: Path, units: Collection[str]) -> pa.Table:
    wanted = pa.array(sorted(units), pa.string())
    return TableFiles(folder, []).read(
        TABLES[folder.name],
        lambda table: table.filter(pc.is_in(unit_names(table), value_set=wanted)),
    )
