"""A run of many units in parts, each a copy of a recorded unit under a name of its own."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analysis.files import TableFiles, unit_names
from analysis.ledger.hashing import content_hash
from analysis.schema import TABLES
from harness.store.compaction import write_part
from tests.recorded.copies import RUN

COPIED = ("units", "ledger", "predictions", "embeddings", "cells")


def recorded_unit() -> dict[str, pa.Table]:
    """The tables of the first recorded unit by name."""
    tables = {name: TableFiles(RUN / name, []).read(TABLES[name]) for name in COPIED}
    name = min(unit_names(tables["units"]).to_pylist())
    return {of: table.filter(pc.equal(unit_names(table), name)) for of, table in tables.items()}


def write_copies(run: Path, units: int, per_part: int) -> None:
    """RUN of `units` copies with seeds 0, 1, ..., `per_part` in a part; the last in files of their own."""
    whole = recorded_unit()
    for name in COPIED:
        (run / name).mkdir(parents=True)
    for number, start in enumerate(range(0, units, per_part), 1):
        seeds = range(start, min(start + per_part, units))
        copies = [_copy(whole, seed) for seed in seeds]
        names = [unit_names(copy["units"])[0].as_py() for copy in copies]
        for table in COPIED:
            tables = [copy[table] for copy in copies]
            if start + per_part < units:
                write_part(run / table / f"part-{number:07d}.parquet", names, tables)
            else:
                _write_alone(run / table, names, tables)


def _write_alone(folder: Path, names: Sequence[str], tables: Sequence[pa.Table]) -> None:
    for name, table in zip(names, tables, strict=True):
        pq.write_table(table, folder / f"{name}.parquet")


def _copy(whole: dict[str, pa.Table], seed: int) -> dict[str, pa.Table]:
    renamed = {}
    for name, table in whole.items():
        at = table.column_names.index("seed")
        field = table.schema.field("seed")
        renamed[name] = table.set_column(at, field, pa.array([seed] * table.num_rows, pa.int32()))
        renamed[name] = renamed[name].cast(TABLES[name])
    digest = content_hash([renamed["predictions"], renamed["embeddings"]])
    at = renamed["ledger"].column_names.index("files")
    ledger = renamed["ledger"].set_column(at, TABLES["ledger"].field("files"), pa.array([digest]))
    return {**renamed, "ledger": ledger}
