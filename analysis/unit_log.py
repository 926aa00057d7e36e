"""A unit's log: the append-only file of checksummed frames that its rows come from."""

import hashlib
import io
import json
import os
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from analysis.paths import listed
from analysis.schema import KEYS, SCHEMA_VERSION, TABLE_NAME, TABLES, to_table
from analysis.schema_version import refuse_version

FOLDER, SUFFIX = "logs", ".log"
"""RUN/logs/<unit>.log."""
MAGIC = b"\x93EPI"
ROWS, ARROW = 1, 2
"""Kinds of frames: rows of small tables with what changed of the unit's row of `units`; one table as an Arrow stream."""
_HEADER = struct.Struct("<4sHHQ32s")
_TIMES = frozenset(column.name for column in TABLES["units"] if pa.types.is_timestamp(column.type))
ENDED = ("done", "stopped", "pruned", "diverged")
"""Statuses of units that ended with a result; a failed one goes on when it is asked for again."""


class Mark(NamedTuple):
    """A place in a log: bytes up to it, and the hash of all frames before it (hex)."""

    length: int
    digest: str


START = Mark(0, "")


def log_file(run: Path, unit: str) -> Path:
    """Where the log of a unit is."""
    return run / FOLDER / f"{unit}{SUFFIX}"


def logged_units(run: Path) -> list[str]:
    """Names of the units that have a log, sorted."""
    return sorted(file.name.removesuffix(SUFFIX) for file in listed(run / FOLDER, SUFFIX))


def rows_frame(changed: Mapping[str, Any], tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> bytes:
    """A frame of rows, without the columns that name the unit; `changed` holds the columns of `units` that changed.

    Raises
    ------
    ValueError
        for a table or column that the schema does not have, or a value of the wrong type.
    """
    to_table("units", [changed])
    columns = {}
    for name, rows in tables.items():
        to_table(name, rows)
        names = [key for key in TABLES[name].names if key not in KEYS and any(key in row for row in rows)]
        columns[name] = {"rows": len(rows), "columns": {key: [row.get(key) for row in rows] for key in names}}
    row = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in changed.items()}
    content = json.dumps({"unit": row, "tables": columns}, separators=(",", ":"))
    return _frame(ROWS, zlib.compress(content.encode(), 9))


def table_frame(name: str, table: pa.Table) -> bytes:
    """A frame that holds a whole table of `TABLES[name]`, with the columns that name the unit."""
    metadata = {**(table.schema.metadata or {}), TABLE_NAME: name.encode()}
    buffer = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    schema = table.schema.with_metadata(metadata)
    with pa.ipc.new_stream(buffer, schema, options=options) as writer:
        writer.write_table(table.replace_schema_metadata(metadata))
    return _frame(ARROW, buffer.getvalue())


def advance(mark: Mark, frames: bytes) -> Mark:
    """The mark after whole `frames` that follow `mark`."""
    for frame in _scan(frames):
        assert frame.problem is None
        mark = Mark(mark.length + frame.size, _chained(mark.digest, frame.digest))
    return mark


@dataclass
class UnitLog:
    """The whole frames of a log, in order.

    `mark` is the end of the last whole one, `marks` the end of each; `damage` says what stands after it that is no
    frame and no beginning of one either, and `torn` that something stands there at all.
    """

    file: Path
    mark: Mark = START
    marks: set[Mark] = field(default_factory=lambda: {START})
    torn: bool = False
    damage: str | None = None
    row: dict[str, Any] = field(default_factory=dict)
    """The unit's row of `units` after the last frame; empty where no frame is whole."""
    _parts: list[tuple[int, bytes]] = field(default_factory=list, repr=False)

    @classmethod
    def read(cls, file: Path, upto: int | None = None) -> "UnitLog":
        """The log at `file`, or the frames of its first `upto` bytes.

        A folder, a link to nothing, or the log of another unit than the one that the file is named after, is damage
        and has no frames.

        Raises
        ------
        FileNotFoundError
        OSError
            for a file that this user may not read, or a disk that does not give it.
        UserError
            for a log of another version of the schema.
        """
        log = cls(file)
        try:
            data = file.read_bytes()
        except (FileNotFoundError, IsADirectoryError) as error:
            if not os.path.lexists(file):
                raise
            log.torn, log.damage = True, f"it is no file ({error.strerror})"
            return log
        for frame in _scan(data if upto is None else data[:upto]):
            refuse_version(file, frame.version)
            if frame.problem is not None:
                log.torn, log.damage = True, frame.problem if frame.corrupt else None
                break
            log.mark = Mark(log.mark.length + frame.size, _chained(log.mark.digest, frame.digest))
            log.marks.add(log.mark)
            log._parts.append((frame.kind, frame.payload))
        for content in log._contents:
            log.row |= {
                key: datetime.fromisoformat(value) if key in _TIMES and value is not None else value
                for key, value in content["unit"].items()
            }
            owner = "-".join(str(log.row.get(key)) for key in KEYS)
            if owner != log.unit:
                return cls(file, torn=True, damage=f"it is the log of another unit, {owner}")
        return log

    @property
    def unit(self) -> str:
        """Name of the unit that the file is named after."""
        return self.file.name.removesuffix(SUFFIX)

    @property
    def status(self) -> str | None:
        """Status of the unit by its last frame."""
        return self.row.get("status")

    @property
    def ended(self) -> bool:
        """Whether the last frame ends the unit with a result, and nothing stands after it."""
        return self.status in ENDED and not self.torn

    @cached_property
    def _contents(self) -> list[dict[str, Any]]:
        return [json.loads(zlib.decompress(payload)) for kind, payload in self._parts if kind == ROWS]

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Rows of a table that is kept as rows, with the columns that name the unit; absent columns are None."""
        key = {column: self.row[column] for column in KEYS if column in self.row}
        if name == "units":
            return [dict(self.row)] if self.row else []
        rows: list[dict[str, Any]] = []
        for content in self._contents:
            part = content["tables"].get(name)
            if part is not None and part["rows"]:
                names, columns = list(part["columns"]), list(part["columns"].values())
                rows += [{**key, **dict(zip(names, row, strict=True))} for row in zip(*columns, strict=True)]
        return rows

    def holds(self, name: str) -> bool:
        """Whether there are rows of a table."""
        small = any(content["tables"].get(name, {}).get("rows") for content in self._contents)
        return small or name == "units" or self.table(name).num_rows > 0

    def table(self, name: str) -> pa.Table:
        """All rows of a table in its schema; empty where the log holds none."""
        schema = TABLES[name]
        tables = [to_table(name, self.rows(name))]
        for kind, payload in self._parts:
            if kind == ARROW:
                with pa.ipc.open_stream(payload) as stream:
                    if (stream.schema.metadata or {}).get(TABLE_NAME) == name.encode():
                        tables.append(stream.read_all().replace_schema_metadata(schema.metadata))
        return pa.concat_tables(tables)


class _Scanned(NamedTuple):
    size: int
    digest: bytes
    kind: int
    payload: bytes
    version: int = SCHEMA_VERSION
    problem: str | None = None
    corrupt: bool = False


def _frame(kind: int, payload: bytes) -> bytes:
    digest = _digest(SCHEMA_VERSION, kind, payload)
    return _HEADER.pack(MAGIC, SCHEMA_VERSION, kind, len(payload), digest) + payload


def _digest(version: int, kind: int, payload: bytes) -> bytes:
    return hashlib.sha256(struct.pack("<HHQ", version, kind, len(payload)) + payload).digest()


def _chained(digest: str, frame: bytes) -> str:
    return hashlib.sha256(bytes.fromhex(digest) + frame).hexdigest()


def _scan(data: bytes) -> Iterator[_Scanned]:
    """Frame after frame; the last one says what is wrong, where the data do not end with a whole frame."""
    at = 0
    while at < len(data):
        left = len(data) - at
        if left < _HEADER.size:
            corrupt = not data[at:].startswith(MAGIC[: min(left, len(MAGIC))])
            yield _Scanned(left, b"", 0, b"", problem=f"no frame begins at byte {at}", corrupt=corrupt)
            return
        magic, version, kind, length, digest = _HEADER.unpack_from(data, at)
        if magic != MAGIC:
            yield _Scanned(left, b"", 0, b"", problem=f"no frame begins at byte {at}", corrupt=True)
            return
        if at + _HEADER.size + length > len(data):
            yield _Scanned(left, b"", 0, b"", problem=f"the frame at byte {at} is cut off")
            return
        begin = at + _HEADER.size
        payload = data[begin : begin + length]
        if _digest(version, kind, payload) != digest:
            text = f"the frame at byte {at} does not have the content of its checksum"
            yield _Scanned(left, b"", 0, b"", problem=text, corrupt=True)
            return
        yield _Scanned(_HEADER.size + length, digest, kind, payload, version)
        at = begin + length


def read_or_none(file: Path) -> UnitLog | None:
    """The log at `file`, None where there is none."""
    try:
        return UnitLog.read(file)
    except FileNotFoundError:
        return None
