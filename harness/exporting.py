"""Parquet of one unit, made from its log."""

from collections.abc import Iterable
from pathlib import Path

from analysis.schema import COMPACTED
from analysis.unit_log import UnitLog
from harness.run_store import RunWriter

ALWAYS = ("epochs", "terms", "cells", "warnings", "trials")
"""Tables in which every unit has a file, with rows or without."""
_ORDER = (*(name for name in COMPACTED if name != "trials"), "trials")


def export(run: Path, log: UnitLog, tables: Iterable[str] = _ORDER) -> None:
    """Write the files of the unit of `log`; `trials` is the last, as it says that the others are there."""
    writer, unit = RunWriter(run), log.file.stem
    wanted = set(tables)
    for name in _ORDER:
        if name in wanted:
            table = log.table(name)
            if table.num_rows or name in ALWAYS:
                writer.write_table(name, unit, table)
