"""Parquet of one unit, made from its log."""

from collections.abc import Iterable
from pathlib import Path

from analysis.errors import UserError
from analysis.schema import ALWAYS, COMPACTED
from analysis.unit_log import UnitLog
from harness.store.writer import RunWriter

ORDER = (*(name for name in COMPACTED if name != "units"), "units")
"""Tables in the order in which a unit comes and goes: it is in `units` only beside all else of it."""


def export(run: Path, log: UnitLog, tables: Iterable[str] = ORDER) -> None:
    """Write the files of the unit of `log`; `units` is the last, as it says that the others are there.

    Raises
    ------
    UserError
        for a log that does not say that its unit has ended: it does not hold the unit's rows.
    """
    if not log.ended:
        raise UserError(f"{log.file} is damaged: {log.damage or 'it does not say how its unit ended'}")
    writer, unit = RunWriter(run), log.unit
    wanted = set(tables)
    for name in ORDER:
        if name in wanted:
            table = log.table(name)
            if table.num_rows or name in ALWAYS:
                writer.write_table(name, unit, table)
