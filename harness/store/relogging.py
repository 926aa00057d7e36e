"""Logs of ended units, made again from their Parquet."""

from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from analysis.files import TableFiles, unit_names
from analysis.schema import COMPACTED, KEYS, TABLES
from analysis.unit_log import log_file, rows_frame, table_frame
from harness.store.log_writer import LogWriter

WHOLE = ("predictions", "embeddings", "pair_vectors")
"""Tables that a log keeps as whole ones."""


def write_logs(run: Path, units: Collection[str]) -> None:
    """Write the logs of ended units from their Parquet, where there are none."""
    tables = {name: rows_of(run / name, units) for name in COMPACTED}
    for unit in units:
        rows = {name: table.filter(pc.equal(unit_names(table), unit)) for name, table in tables.items()}
        (trial,) = rows.pop("units").to_pylist()
        whole = [table_frame(name, rows.pop(name)) for name in WHOLE]
        key = {column: trial[column] for column in KEYS}
        small = rows_frame(key, {name: table.to_pylist() for name, table in rows.items()})
        LogWriter(log_file(run, unit)).append(small, *whole, rows_frame(trial, {}))


def rows_of(folder: Path, units: Collection[str]) -> pa.Table:
    """Rows of `units` in the files of one table."""
    wanted = pa.array(sorted(units), pa.string())
    return TableFiles(folder, []).read(
        TABLES[folder.name],
        lambda table: table.filter(pc.is_in(unit_names(table), value_set=wanted)),
    )
