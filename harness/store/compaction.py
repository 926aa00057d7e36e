"""Puts the files of units that have ended together into parts, so that a run of thousands of units stays readable."""

import json
import os
import uuid
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from analysis.files import conform, filed_units, grouped, problem
from analysis.schema import COMPACTED, PART, PART_GROUPS, PART_UNITS, TABLES
from analysis.unit_log import log_file, read_or_none
from harness.store.exporting import export
from harness.store.storage import writing

AT_ONCE = 100
"""Units of a part: enough that ten thousand units are a hundred files, few enough that writing one is a moment."""


class Compactor:
    """Collects units that have ended and compacts them `at_once` at a time; used by the driver alone.

    A unit that is collected must not be written again. Nothing is lost by a kill at any instant: see the layout in
    `analysis.schema`. Units that an earlier driver left uncompacted are found by `collect_left`.
    """

    def __init__(self, run: Path, at_once: int = AT_ONCE) -> None:
        self.run, self.at_once = run, at_once
        self._waiting: dict[str, None] = {}

    def collect(self, units: Iterable[str]) -> None:
        """Take units that have ended; a part is written when there are enough."""
        self._waiting |= dict.fromkeys(units)
        while len(self._waiting) >= self.at_once:
            self._write(list(self._waiting)[: self.at_once])

    def collect_left(self, ended: Collection[str]) -> None:
        """Take those of the ended units that have a file by themselves in any table, or nothing but a log."""
        filed = filed_units(self.run)
        for unit in ended:
            log = None if unit in filed else read_or_none(log_file(self.run, unit))
            if log is not None and log.ended:
                export(self.run, log)
        single = {file.stem for name in COMPACTED for file in (self.run / name).glob("[!.]*.parquet")}
        self.collect(unit for unit in ended if unit in single)

    def finish(self) -> None:
        """Compact what is left, at the end of a sweep."""
        if self._waiting:
            self._write(list(self._waiting))

    def _write(self, units: list[str]) -> None:
        for table in COMPACTED:
            compact(self.run / table, units)
        for unit in units:
            del self._waiting[unit]


def compact(folder: Path, units: Iterable[str]) -> Path | None:
    """Write the files that `units` have in a table's folder as its next part, then remove them.

    Returns the part, or None where none of the units has a file there. A file that cannot be read stays where it is,
    for `harness.store.mending`.
    """
    files = [
        file for unit in units if (file := folder / f"{unit}.parquet").is_file() and problem(file) is None
    ]
    if not files:
        return None
    numbers = (file.stem.removeprefix(PART) for file in folder.glob(f"{PART}*.parquet"))
    part = (
        folder
        / f"{PART}{1 + max((int(number) for number in numbers if number.isdigit()), default=0):07d}.parquet"
    )
    write_part(part, [file.stem for file in files], _tables(files, TABLES[folder.name]))
    for file in files:
        file.unlink(missing_ok=True)
    return part


def write_part(part: Path, units: list[str], tables: Iterable[pa.Table]) -> None:
    """Write or replace a part that holds `units`, from one table of rows per unit."""
    folder, schema = part.parent, TABLES[part.parent.name]
    metadata = {**(schema.metadata or {}), PART_UNITS: json.dumps(units).encode()}
    groups: Iterable[pa.Table] = tables
    if folder.name != "predictions":
        whole = pa.concat_tables([schema.empty_table(), *tables])
        groups = [whole]
        if folder.name == "cells":
            values, groups = grouped(whole)
            metadata[PART_GROUPS] = json.dumps(values).encode()
    draft = folder / f".{part.name}.{uuid.uuid4().hex}"
    with writing(part):
        try:
            options = {"compression": "zstd", "write_page_checksum": True}
            with draft.open("wb") as file:
                with pq.ParquetWriter(file, schema.with_metadata(metadata), **options) as writer:
                    for group in groups:
                        writer.write_table(group, row_group_size=max(1, group.num_rows))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(part)
        finally:
            draft.unlink(missing_ok=True)


def _tables(files: Iterable[Path], schema: pa.Schema) -> Iterator[pa.Table]:
    for file in files:
        with pq.ParquetFile(file) as opened:
            yield conform(opened.read(use_threads=False), schema)
