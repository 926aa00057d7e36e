"""Units out of a run: into another run folder, or away."""

import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analysis.files import conform, part_units, unit_names
from analysis.schema import PART, TABLES
from analysis.unit_log import log_file
from harness.store.compaction import write_part
from harness.store.exporting import ORDER
from harness.store.storage import writing
from harness.store.writer import RunWriter


def move_units(run: Path, units: Collection[str], target: Path) -> None:
    """Move everything of `units` (names) from a run folder to another one: rows, also those in parts, then their
    checkpoints, and their logs last.

    A kill at any instant loses nothing, and another call with the same units finishes the work. Units that are in
    `target` already are replaced; unknown ones are passed over. No unit may be running. `target` may lie inside `run`.

    Raises
    ------
    StoreUnwritable
        where one of the folders cannot be written.
    """
    names = frozenset(units)
    with writing(target):
        for table in ORDER:
            _take_out(run / table, names, target / table)
        for unit in sorted(names):
            _move(run / "checkpoints" / unit, target / "checkpoints" / unit)
        for unit in sorted(names):
            _move(log_file(run, unit), log_file(target, unit))


def drop_rows(run: Path, units: Collection[str]) -> None:
    """Remove the Parquet rows of `units`, those of `units` first: from then on they count as not begun."""
    for table in reversed(ORDER):
        _take_out(run / table, frozenset(units), None)


def _take_out(folder: Path, units: frozenset[str], target: Path | None) -> None:
    """The rows of `units` in one table's folder, from their own files and from parts, newest first."""
    for part in sorted(folder.glob(f"{PART}*.parquet")):
        held = part_units(part)
        if not held & units:
            continue
        with pq.ParquetFile(part) as opened:
            table = conform(opened.read(use_threads=False), TABLES[folder.name])
        if target is not None:
            for unit, rows in _by_unit(table, sorted(held & units)):
                RunWriter(target.parent).write_table(folder.name, unit, rows)
        left = sorted(held - units)
        if left:
            write_part(part, left, [rows for _, rows in _by_unit(table, left)])
        else:
            part.unlink()
    for unit in sorted(units):
        file = folder / f"{unit}.parquet"
        if target is None:
            file.unlink(missing_ok=True)
        else:
            _move(file, target / file.name)


def _by_unit(table: pa.Table, units: list[str]) -> Iterator[tuple[str, pa.Table]]:
    names = unit_names(table)
    for unit in units:
        yield unit, table.filter(pc.equal(names, unit))


def _move(source: Path, target: Path) -> None:
    """A file or folder, in place of what is at `target`; nothing where there is no source."""
    if not source.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        shutil.rmtree(target)
    shutil.move(source, target)
