"""The files of one table of a run: units by themselves, and parts that hold many ended units; read as one."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analysis.errors import UserError
from analysis.schema import GROUPED_BY, PART, PART_GROUPS, PART_UNITS, SCHEMA_VERSION

_AT_ONCE = 256
Rows = Callable[[pa.Table], pa.Table]
Group = Callable[[tuple[str, ...]], bool]


@dataclass
class TableFiles:
    """A table's folder, which may not be there yet, and a list that collects a sentence per unreadable file."""

    folder: Path
    problems: list[str]

    def read(
        self, schema: pa.Schema, rows: Rows = lambda table: table, group: Group | None = None
    ) -> pa.Table:
        """Every unit's rows once, in the columns of `schema` (null where a file lacks one), thinned by `rows`.

        `group` says whether row groups of a part with given values of `GROUPED_BY` are wanted at all; `rows` decides
        row by row. A unit's own file counts before what parts hold of it, and a newer part before an older one. Units
        are looked at first and parts afterwards: what is compacted in between is found in its part.

        Raises UserError for a file of a newer schema.
        """
        read: set[str] = set()
        found, pending = [schema.empty_table()], []
        for file in self._files(parts=False):
            table = self._open(file, schema, None)
            if table is not None:
                read.add(file.stem)
                pending.append(table)
            if len(pending) == _AT_ONCE:
                found.append(rows(pa.concat_tables(pending)))
                pending.clear()
        if pending:
            found.append(rows(pa.concat_tables(pending)))
        for file in reversed(self._files(parts=True)):
            table = self._open(file, schema, group)
            units = part_units(file) if table is not None else frozenset()
            if table is not None:
                found.append(rows(_without(table, units & read) if units & read else table))
            read |= units
        return pa.concat_tables(found)

    def _files(self, *, parts: bool) -> list[Path]:
        if not self.folder.is_dir():
            return []
        visible = (file for file in self.folder.glob("*.parquet") if not file.name.startswith("."))
        return sorted(file for file in visible if file.name.startswith(PART) == parts)

    def _open(self, file: Path, schema: pa.Schema, group: Group | None) -> pa.Table | None:
        """One file; None where it is gone or cannot be read."""
        for attempt in range(3):
            try:
                # A small file is read faster without pq.read_table's dataset around it.
                with pq.ParquetFile(file) as opened:
                    return _columns(file, opened, schema, group)
            except FileNotFoundError:
                return None
            except (pa.ArrowInvalid, OSError) as error:
                # On a network file system a file can change under an open reader; the next look is whole.
                if attempt == 2:
                    reason = str(error).splitlines()[0]
                    self.problems.append(f"{file.parent.name}/{file.name} cannot be read: {reason}")
                    return None
                time.sleep(0.05)
        return None


def part_units(file: Path) -> frozenset[str]:
    """Names of the units that a part holds, those without rows included."""
    found: frozenset[str] = frozenset(json.loads(_metadata(pq.read_schema(file)).get(PART_UNITS, b"[]")))
    return found


def unit_names(table: pa.Table) -> pa.Array:
    """`<config>-<fold>-<seed>` of every row: the stem of the file that a unit has by itself."""
    seed = table["seed"].cast(pa.string())
    return pc.binary_join_element_wise(table["config"], table["fold"], seed, "-")


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table in the columns of the schema, null where it lacks one."""
    if table.schema.equals(schema):
        return table.replace_schema_metadata(schema.metadata)
    columns = [
        table[column.name].cast(column.type)
        if column.name in table.column_names
        else pa.nulls(table.num_rows, column.type)
        for column in schema
    ]
    return pa.table(columns, schema=schema)


def _columns(file: Path, opened: pq.ParquetFile, schema: pa.Schema, group: Group | None) -> pa.Table:
    metadata = _metadata(opened.schema_arrow)
    version = int(metadata.get(b"schema_version", SCHEMA_VERSION))
    if version > SCHEMA_VERSION:
        raise UserError(
            f"{file} has schema version {version}; this analysis reads up to {SCHEMA_VERSION}, update it"
        )
    wanted = set(schema.names) | ({"config", "fold", "seed"} if PART_UNITS in metadata else set())
    present = [name for name in opened.schema_arrow.names if name in wanted]
    groups = json.loads(metadata.get(PART_GROUPS, b"[]"))
    if group is None or not groups:
        return conform(opened.read(present, use_threads=False), schema)
    chosen = [at for at, values in enumerate(groups) if group(tuple(values))]
    return conform(opened.read_row_groups(chosen, present, use_threads=False), schema)


def _without(table: pa.Table, units: frozenset[str]) -> pa.Table:
    """The rows of no unit in `units`."""
    names = pa.array(sorted(units), pa.string())
    return table.filter(pc.invert(pc.is_in(unit_names(table), value_set=names)))


def _metadata(schema: pa.Schema) -> dict[bytes, bytes]:
    return dict(schema.metadata or {})


def grouped(table: pa.Table) -> tuple[list[tuple[str, ...]], list[pa.Table]]:
    """A table divided by its values of `GROUPED_BY`: the values, and the rows that have them; null is ""."""
    keys = [pc.fill_null(table[name], "") for name in GROUPED_BY]
    joined = pc.binary_join_element_wise(*keys, "\n")
    names = [str(name) for name in pc.unique(joined).to_pylist()]
    return [tuple(name.split("\n")) for name in names], [
        table.filter(pc.equal(joined, name)) for name in names
    ]
