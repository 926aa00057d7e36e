"""The files of one table of a run: units by themselves, and parts that hold many ended units; read as one."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analysis.errors import UserError
from analysis.paths import listed
from analysis.schema import (
    ALWAYS,
    COMPACTED,
    GROUPED_BY,
    KEYS,
    PART,
    PART_GROUPS,
    PART_UNITS,
    SCHEMA_VERSION,
    TABLE_NAME,
    TABLES,
)
from analysis.schema_version import refuse_version
from analysis.unit_log import UnitLog, log_file, logged_units

_SUFFIX = ".parquet"
_AT_ONCE = 256
_LOOKED_AT = 32_000_000
_PARTS = 1024
"""Parts whose units are kept in mind: those of every table are asked for once per table that is read."""
UNREADABLE = (pa.ArrowException, OSError, ValueError)
"""Errors that reading a damaged Parquet file raises."""
Rows = Callable[[pa.Table], pa.Table]
Group = Callable[[tuple[str, ...]], bool]


@dataclass
class TableFiles:
    """A table's folder, which may not be there yet, and lists that collect a sentence per unreadable file: of all, and of
    those whose rows nothing else holds."""

    folder: Path
    problems: list[str]
    lost: list[str] = field(default_factory=list)
    incomplete: set[str] = field(default_factory=set)
    """Units of which rows were in what could not be read, and nowhere else."""
    _unread: dict[str, str] = field(default_factory=dict, repr=False)
    """Name of a file -> why it could not be read, of the last reading."""
    _held: dict[Path, list[frozenset[str]]] = field(default_factory=dict, repr=False)
    """Part -> units of each of its row groups, of parts that were read for some units."""
    _filed: frozenset[str] | None = field(default=None, repr=False)
    _of: dict[Path, frozenset[str]] = field(default_factory=dict, repr=False)
    """Part -> units that it holds, of those that were read."""

    def read(
        self,
        schema: pa.Schema,
        rows: Rows = lambda table: table,
        group: Group | None = None,
        units: frozenset[str] | None = None,
    ) -> pa.Table:
        """Every unit's rows once, in the columns of `schema` (null where a file lacks one), thinned by `rows`.

        `group` says whether row groups of a part with given values of `GROUPED_BY` are wanted at all; `rows` decides
        row by row. With `units` only their files and row groups are read, of the parts that were there at the first such
        reading. A unit's own file counts before what parts hold of it, a newer part before an older one, and all of
        them before the unit's log. Units are looked at first, parts afterwards and logs last: what ends or is compacted
        in between is found in the next place.

        Raises UserError for a file of another version of the schema.
        """
        self._unread.clear()
        filed = expected = self._expected(units)
        read: set[str] = set()
        lost: set[str] = set()
        tables, pending = [schema.empty_table()], []
        for file in self._files(parts=False) if units is None else self._singles(units):
            table = self._open(file, schema, None, None)
            if table is not None:
                read.add(file.stem)
                pending.append(table)
            elif file.exists():
                lost.add(file.stem)
            if len(pending) == _AT_ONCE:
                tables.append(rows(pa.concat_tables(pending)))
                pending.clear()
        if pending:
            tables.append(rows(pa.concat_tables(pending)))
        for file in reversed(self._files(parts=True)):
            wanted = None if units is None else units - read
            if wanted is not None and wanted.isdisjoint(self._of_part(file)):
                continue
            table = self._open(file, schema, group, wanted)
            if table is None:
                filed = frozenset()
                continue
            held = self._of[file]
            table = table if wanted is None else _of_units(table, wanted)
            tables.append(rows(_without(table, held & read) if wanted is None and held & read else table))
            read |= held if units is None else held & units
        absent = filed - read - lost if self.folder.name in ALWAYS else frozenset()
        absent &= frozenset(logged_units(self.folder.parent)) if absent else absent
        for unit, table, whole in self._logged(schema, read, filed - lost - absent, units):
            tables.append(rows(table))
            read |= {unit} if whole else set()
        self._note_lost(read, expected)
        if absent:
            names = f"{min(absent)} and {len(absent) - 1} more" if len(absent) > 1 else min(absent)
            self._say(f"{self.folder.name}: no file has the rows of {names}, and the logs were read instead")
        return pa.concat_tables(tables)

    def _expected(self, units: frozenset[str] | None) -> frozenset[str]:
        """The units, all of them or those asked for, that the run's files say to have ended."""
        if units is None:
            return filed_units(self.folder.parent)
        self._filed = filed_units(self.folder.parent) if self._filed is None else self._filed
        return self._filed & units

    def _singles(self, units: frozenset[str]) -> list[Path]:
        files = (self.folder / f"{unit}{_SUFFIX}" for unit in sorted(units))
        return [file for file in files if file.is_file()]

    def _of_part(self, file: Path) -> frozenset[str]:
        """Units of a part, those without rows included; of one that cannot be read all that are expected."""
        if file not in self._held:
            try:
                self._held[file] = [part_units(file)]
            except UNREADABLE:
                return self._filed or frozenset()
        return frozenset().union(*self._held[file])

    def _row_groups(self, file: Path, opened: pq.ParquetFile, units: frozenset[str]) -> list[int]:
        """Numbers of the row groups with rows of the units; a look at the key columns of each, once."""
        if len(self._held.get(file, ())) != opened.num_row_groups or opened.num_row_groups == 1:
            each = (opened.read_row_group(at, KEYS, use_threads=False) for at in range(opened.num_row_groups))
            self._held[file] = [
                frozenset(unit_names(table.group_by(KEYS).aggregate([])).to_pylist()) for table in each
            ]
        return [at for at, held in enumerate(self._held[file]) if held & units]

    def parts(self) -> Iterator[frozenset[str]]:
        """Units of every part that can be read."""
        for file in self._files(parts=True):
            with contextlib.suppress(*UNREADABLE):
                yield part_units(file)

    def _note_lost(self, read: set[str], expected: frozenset[str]) -> None:
        """Note the unread files that held a unit which was not `read` elsewhere; `expected` are the units of the run."""
        parts = [name for name in self._unread if name.startswith(PART)]
        if parts and self.folder.name == "units":
            expected |= filed_units(self.folder.parent, "epochs")
        gone = {name for name in self._unread if name not in parts and Path(name).stem not in read}
        gone |= set(parts) if expected - read else set()
        self.incomplete |= {Path(name).stem for name in gone if name not in parts}
        self.incomplete |= expected - read if parts else frozenset()
        self._lose(*(self._unread[name] for name in sorted(gone)))

    def _lose(self, *problems: str) -> None:
        self.lost += [problem for problem in problems if problem not in self.lost]

    def _logged(
        self, schema: pa.Schema, read: set[str], filed: frozenset[str], units: frozenset[str] | None
    ) -> Iterator[tuple[str, pa.Table, bool]]:
        """Rows of the units that are neither `read` already nor `filed` as Parquet, and whether they ended."""
        run, name = self.folder.parent, self.folder.name
        logged = logged_units(run) if units is None else sorted(u for u in units if log_file(run, u).exists())
        for unit in logged if name in COMPACTED else ():
            if unit in read or unit in filed:
                continue
            try:
                log = UnitLog.read(log_file(run, unit))
            except OSError as error:
                self._lose(self._say(f"logs/{unit}.log cannot be read: {error.strerror}"))
                self.incomplete.add(unit)
                continue
            if log.damage is not None:
                kept = "the rows before it were read" if log.row else "no rows of it were read"
                self._lose(self._say(f"logs/{unit}.log is damaged: {log.damage}; {kept}"))
                self.incomplete.add(unit)
            yield unit, conform(log.table(name), schema), log.ended

    def _say(self, problem: str) -> str:
        self.problems += [] if problem in self.problems else [problem]
        return problem

    def _files(self, *, parts: bool) -> list[Path]:
        return [file for file in listed(self.folder, _SUFFIX) if file.name.startswith(PART) == parts]

    def _open(
        self, file: Path, schema: pa.Schema, group: Group | None, units: frozenset[str] | None
    ) -> pa.Table | None:
        """One file, or of a part the row groups with rows of `units`; None where it is gone or cannot be read."""
        for attempt in range(3):
            try:
                # A small file is read faster without pq.read_table's dataset around it.
                with pq.ParquetFile(
                    file, page_checksum_verification=True, read_dictionary=_coded(schema)
                ) as opened:
                    chosen = None
                    if file.name.startswith(PART):
                        self._of[file] = _held(opened.schema_arrow)
                    if units is not None and PART_GROUPS not in _metadata(opened.schema_arrow):
                        chosen = self._row_groups(file, opened, units)
                    return _columns(file, opened, schema, group, chosen)
            except FileNotFoundError:
                return None
            except UserError:
                raise
            except UNREADABLE as error:
                # On a network file system a file can change under an open reader; the next look is whole.
                if attempt == 2:
                    reason = (str(error).splitlines() or [type(error).__name__])[0]
                    said = self._say(f"{file.parent.name}/{file.name} cannot be read: {reason}")
                    self._unread[file.name] = said
                    return None
                time.sleep(0.05)
        return None


def part_units(file: Path) -> frozenset[str]:
    """Names of the units that a part holds, those without rows included; looked up again once the file has changed."""
    state = file.stat()
    return _part_units(file, state.st_ino, state.st_mtime_ns, state.st_size)


@lru_cache(_PARTS)
def _part_units(file: Path, *_state: int) -> frozenset[str]:
    return _held(pq.read_schema(file))


def _held(schema: pa.Schema) -> frozenset[str]:
    return frozenset(json.loads(_metadata(schema).get(PART_UNITS, b"[]")))


def filed_units(run: Path, table: str = "units") -> frozenset[str]:
    """Names of the units that a table's files hold; those in `units`, which is written last, are in Parquet whole."""
    units: set[str] = set()
    for file in listed(run / table, _SUFFIX):
        if not file.name.startswith(PART):
            units.add(file.stem)
            continue
        try:
            units |= part_units(file)
        except UNREADABLE:
            continue
    return frozenset(units)


def problem(file: Path) -> str | None:
    """Why a Parquet file of the store cannot be read, None where it can: every page of it, up to `_LOOKED_AT` bytes.

    Raises UserError for a file of another version of the schema.
    """
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as opened:
            metadata = _metadata(opened.schema_arrow)
            refuse_version(file, int(metadata.get(b"schema_version", SCHEMA_VERSION)))
            _check_table(file, opened.schema_arrow)
            units = json.loads(metadata.get(PART_UNITS, b"[]"))
            if file.stat().st_size <= _LOOKED_AT:
                _check_units(file, opened.read(use_threads=False), set(units) or {file.stem})
    except UserError:
        raise
    except PermissionError:
        raise UserError(f"{file} cannot be read (Permission denied); it is a file of the run") from None
    except UNREADABLE as error:
        return (str(error).splitlines() or [type(error).__name__])[0]
    return None


def _check_table(file: Path, schema: pa.Schema) -> None:
    """Raise ValueError for a file of another table than that of its folder."""
    folder = file.parent.name
    name = _metadata(schema).get(TABLE_NAME, folder.encode()).decode()
    if name != folder:
        raise ValueError(f"it is a file of the table {name}")
    strange = [column for column in schema.names if column not in TABLES[folder].names]
    if strange:
        raise ValueError(f"it has the column {strange[0]}, which {folder} has not")


def _check_units(file: Path, table: pa.Table, units: set[str]) -> None:
    """Raise ValueError for rows of other units than those that the file names, or units without their row of `units`."""
    folder = file.parent.name
    if folder not in COMPACTED:
        return
    held = unit_names(table.group_by(KEYS).aggregate([])).to_pylist()
    if not units.issuperset(held):
        raise ValueError(f"it has rows of another unit, {min(set(held) - units)}")
    if folder == "units" and table.num_rows != len(units):
        raise ValueError(f"it has {table.num_rows} rows for {len(units)} units")


def unit_names(table: pa.Table) -> pa.Array:
    """`<config>-<fold>-<seed>` of every row: the stem of the file that a unit has by itself."""
    config, fold, seed = (table[key].cast(pa.string()) for key in KEYS)
    return pc.binary_join_element_wise(config, fold, seed, "-")


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


def with_codes(schema: pa.Schema) -> pa.Schema:
    """The schema with names in place of texts: codes into a dictionary of what occurs, which a file has them as already, so
    that no text is made of a row."""
    code = pa.dictionary(pa.int32(), pa.string())
    return pa.schema([field.with_type(code) if field.type == pa.string() else field for field in schema])


def _coded(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if pa.types.is_dictionary(field.type)]


def _columns(
    file: Path, opened: pq.ParquetFile, schema: pa.Schema, group: Group | None, chosen: list[int] | None
) -> pa.Table:
    metadata = _metadata(opened.schema_arrow)
    refuse_version(file, int(metadata.get(b"schema_version", SCHEMA_VERSION)))
    _check_table(file, opened.schema_arrow)
    wanted = set(schema.names) | ({"config", "fold", "seed"} if PART_UNITS in metadata else set())
    present = [name for name in opened.schema_arrow.names if name in wanted]
    groups = json.loads(metadata.get(PART_GROUPS, b"[]"))
    if chosen is not None:
        return conform(opened.read_row_groups(chosen, present, use_threads=False), schema)
    if group is None or not groups:
        table = opened.read(present, use_threads=False)
        if PART_UNITS not in metadata and set(KEYS) <= set(present):
            _check_units(file, table.slice(0, 1), {file.stem})
        return conform(table, schema)
    chosen = [at for at, values in enumerate(groups) if group(tuple(values))]
    return conform(opened.read_row_groups(chosen, present, use_threads=False), schema)


def _of_units(table: pa.Table, units: frozenset[str]) -> pa.Table:
    """The rows of `units` alone."""
    names = unit_names(table)
    wanted = pc.is_in(names, value_set=pa.array(sorted(units), pa.string()))
    return table if pc.all(wanted).as_py() is not False else table.filter(wanted)


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
