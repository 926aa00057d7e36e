"""Moves all that units left in a run folder into another run folder."""

import os
import shutil
from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analysis.files import conform, part_units, unit_names
from analysis.schema import PART, TABLES
from harness.compaction import COMPACTED
from harness.run_store import replace_atomically


def move_units(run: Path, units: Collection[str], target: Path) -> None:
    """Move the rows and the checkpoints of `units` (names) from `run` to `target`, which is another run folder.

    Complete when it returns. A kill at any instant loses nothing, and calling it again with the same arguments
    completes it; the rows of `trials` go last, so that until then the units can be found in `run`.
    """
    chosen = set(units)
    for table in sorted(COMPACTED, key=lambda name: name == "trials"):
        if table == "trials":
            _move_checkpoints(run, chosen, target)
        _move_rows(run / table, chosen, target / table)


def _move_rows(folder: Path, units: set[str], target: Path) -> None:
    """Parts first, the oldest one first, since they are never changed: what they hold of other units is written to
    files of those units, which the next compaction puts together again. Then the units' own files, which count
    before what a part holds of them."""
    if not folder.is_dir():
        return
    target.mkdir(parents=True, exist_ok=True)
    parts = sorted(folder.glob(f"{PART}*.parquet"))
    held = {part: _units_of(part) for part in parts}
    for at, part in enumerate(parts):
        if not held[part] & units:
            continue
        newer = frozenset().union(*(held[other] for other in parts[at + 1 :]))
        rows = _rows_of(part)
        for unit in sorted(held[part] - newer):
            if (folder / f"{unit}.parquet").exists():
                continue
            _write((target if unit in units else folder) / f"{unit}.parquet", rows, unit)
        part.unlink()
    for unit in sorted(units):
        own = folder / f"{unit}.parquet"
        if own.exists():
            os.replace(own, target / own.name)


def _units_of(part: Path) -> frozenset[str]:
    """Units of a part; of one that cannot be read, none: it stays where it is, and readers say so."""
    try:
        return part_units(part)
    except (pa.ArrowInvalid, OSError, ValueError):
        return frozenset()


def _rows_of(part: Path) -> pa.Table:
    with pq.ParquetFile(part) as opened:
        return conform(opened.read(use_threads=False), TABLES[part.parent.name])


def _write(file: Path, rows: pa.Table, unit: str) -> None:
    buffer = pa.BufferOutputStream()
    pq.write_table(rows.filter(pc.equal(unit_names(rows), unit)), buffer, compression="zstd")
    replace_atomically(file, buffer.getvalue().to_pybytes())


def _move_checkpoints(run: Path, units: set[str], target: Path) -> None:
    for unit in sorted(units):
        own, new = run / "checkpoints" / unit, target / "checkpoints" / unit
        if own.is_dir():
            shutil.rmtree(new, ignore_errors=True)
            new.parent.mkdir(parents=True, exist_ok=True)
            os.replace(own, new)
