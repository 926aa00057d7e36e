"""Repair of a store: damaged files are put aside and made again from what holds the same rows."""

from collections.abc import Collection
from pathlib import Path

import pyarrow.compute as pc

from analysis.errors import UserError
from analysis.files import filed_units, part_units, problem, unit_names
from analysis.imports.view import DOCUMENT as IMPORTED
from analysis.paths import listed
from analysis.schema import ALWAYS, COMPACTED, PART
from analysis.unit_log import UnitLog, log_file, logged_units
from harness.store.damaged import put_aside
from harness.store.exporting import export
from harness.store.moving import drop_rows
from harness.store.relogging import rows_of, write_logs


def mend(run: Path) -> list[str]:
    """Repair what is damaged before a run goes on; a sentence for each repair. Nobody else may write meanwhile.

    Parquet that is missing or cannot be read is made again from the logs of ended units, and such a log from its Parquet.
    A unit whose rows are lost is taken out of the store, so that it runs again. The log of a unit that has not ended is
    left to `harness.trial.record`, which knows what its checkpoint vouches for.

    Raises
    ------
    UserError
        for a store of another version of the schema, a file or folder that this user may not read, and results that were
        imported, which no log holds.
    """
    if (run / IMPORTED).exists():
        raise UserError(
            f"{run} holds results that were imported, and nothing can be trained there; give another --out"
        )
    said: list[str] = []
    logs = {unit: _log(run, unit) for unit in logged_units(run)}
    ended = {unit: log for unit, log in logs.items() if log.ended}
    before = set(filed_units(run))
    hurt = [name for name in COMPACTED if _put_aside(run / name, said)]
    held = {name: _held(run / name) for name in COMPACTED}
    # A unit that has ended and is in Parquet nowhere, or in files of its own alone, may be one that was just killed.
    settled = before | {unit for name in COMPACTED for unit in _held(run / name, parts=True)}
    lost: set[str] = set()
    for name, have in held.items():
        wanted = ended if name in hurt else {unit: ended[unit] for unit in ended.keys() & settled}
        again = [wanted[unit] for unit in sorted(wanted.keys() - have)]
        again = [log for log in again if name in ALWAYS or log.holds(name)]
        for log in again:
            export(run, log, [name])
        if name in ALWAYS:
            needed = settled | (held["epochs"] if name == "units" and name in hurt else set())
        else:
            needed = _predicted(run, before - have - ended.keys()) if name == "predictions" else set()
        lost |= needed - have - ended.keys()
        if again or name in hurt:
            missing = "" if name in hurt else "not in any file, "
            said.append(
                f"{name}: rows of {len(again)} unit{'s' if len(again) != 1 else ''} {missing}made again from their logs"
            )
    if lost:
        drop_rows(run, lost)
        for unit in lost:
            for file in sorted((run / "checkpoints" / unit).glob("*.pt")):
                put_aside(file)
        said.append(f"nothing holds all rows of {', '.join(sorted(lost))} any more: to be run again")
    filed = filed_units(run)
    broken = [log for unit, log in logs.items() if not log.ended and unit in filed]
    if broken:
        said += _write_again(run, broken)
    return said


def _log(run: Path, unit: str) -> UnitLog:
    file = log_file(run, unit)
    try:
        return UnitLog.read(file)
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}); it holds the rows of a unit") from None


def _put_aside(folder: Path, said: list[str]) -> bool:
    """Whether a table had files that cannot be read; they are put aside."""
    damaged = False
    for file in listed(folder, ".parquet"):
        why = problem(file)
        if why is not None:
            aside = put_aside(file)
            said.append(f"{folder.name}/{file.name} cannot be read ({why}) and was put aside as {aside.name}")
            damaged = True
    return damaged


def _held(folder: Path, *, parts: bool = False) -> set[str]:
    """Units that a table's files hold, or its parts alone."""
    units: set[str] = set()
    for file in listed(folder, ".parquet"):
        if file.name.startswith(PART):
            units |= part_units(file)
        elif not parts:
            units.add(file.stem)
    return units


def _predicted(run: Path, units: Collection[str]) -> set[str]:
    """Those of `units` that ended as done, which none does without predictions."""
    if not units:
        return set()
    rows = rows_of(run / "units", units)
    return set(unit_names(rows.filter(pc.equal(rows["status"], "done"))).to_pylist())


def _write_again(run: Path, logs: list[UnitLog]) -> list[str]:
    """Logs that are damaged although their units have ended, from the Parquet of these."""
    said = []
    for log in logs:
        file, why = put_aside(log.file), log.damage or "it does not say how the unit ended"
        said.append(
            f"logs/{log.file.name} is damaged ({why}): put aside as {file.name}, written again from its Parquet"
        )
    write_logs(run, [log.file.stem for log in logs])
    return said
