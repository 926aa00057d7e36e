"""What a run's files hold, exactly: hashes of tensors and of arrays, and rows whose numbers are the bytes of a float64."""

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.replay import names
from tests.replay.renames import Renames, ReplayError


def read_run(run: Path, renames: Renames) -> dict[str, Any]:
    """What a run with one unit left: `tensors` (dotted name -> hash), `arrays` (table -> column -> split -> hash) and
    `rows` (table -> list of rows by column).

    Names are the run's own, of which `renames` tells the tables. Numbers are written as 16 hexadecimal digits of a
    float64 (big end first), so that nothing is rounded and every NaN is told from any other.
    """
    tables = {name: renames.tables.get(name, name) for name in (*names.KEYS, *names.ARRAYS)}
    tensors, arrays, rows = dict(_tensors(run)), {}, {}
    for old, name in tables.items():
        files = sorted((run / name).glob("*.parquet"))
        if not files:
            continue
        table = pa.concat_tables([pq.read_table(file) for file in files])
        table = table.drop_columns([column for column in table.column_names if column in names.EXCLUDED])
        if old in names.ARRAYS:
            arrays[name] = _arrays(table, renames.columns.get(f"{old}.{names.SPLIT}", names.SPLIT))
        else:
            rows[name] = [
                {column: exact(value) for column, value in row.items()} for row in table.to_pylist()
            ]
    if not tensors or not arrays or not rows:
        raise ReplayError(f"{run} holds no checkpoint or no table where tests/replay/names.py expects them")
    return {"tensors": tensors, "arrays": arrays, "rows": rows}


def exact(value: Any) -> Any:
    """A value of a table as JSON holds it without loss."""
    return "x" + struct.pack(">d", value).hex() if isinstance(value, float) else value


def shown(value: Any) -> str:
    """What `exact` wrote, to be read."""
    if isinstance(value, str) and len(value) == 17 and value[0] == "x":
        return repr(struct.unpack(">d", bytes.fromhex(value[1:]))[0])
    return repr(value)


def _tensors(run: Path) -> Iterator[tuple[str, str]]:
    import torch

    for file in sorted(run.glob(names.CHECKPOINTS)):
        content = torch.load(file, map_location="cpu", weights_only=True)
        inner = names.WEIGHTS_OF.get(file.stem)
        yield from _walk("last" if inner else "selected", content[inner] if inner else content)


def _walk(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Hashes of type, shape and bytes of every tensor, and of plain numbers, under their dotted names."""
    import torch

    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(f"{name}.{key}", inner)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _walk(f"{name}.{index}", inner)
    elif isinstance(value, torch.Tensor):
        array = value.contiguous().numpy()
        yield name, _hash(f"{array.dtype}{array.shape}".encode() + array.tobytes())
    elif isinstance(value, int | float):
        yield name, _hash(repr(exact(value)).encode())


def _arrays(table: pa.Table, split: str) -> dict[str, dict[str, str]]:
    """Column -> split -> hash of its values there, rows in their order."""
    splits = table.column(split).to_pylist()
    hashes: dict[str, dict[str, str]] = {}
    for column in table.column_names:
        values = table.column(column).to_pylist()
        for part in dict.fromkeys(splits):
            inside = [_plain(value) for value, where in zip(values, splits, strict=True) if where == part]
            hashes.setdefault(column, {})[part] = _hash(repr(inside).encode())
    return hashes


def _plain(value: Any) -> Any:
    return [exact(each) for each in value] if isinstance(value, list) else exact(value)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
