"""Writes a run folder: one Parquet file per unit and table, replaced atomically, readable after any kill."""

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from analysis.schema import to_table
from harness.store.storage import writing


def replace_atomically(path: Path, data: bytes) -> None:
    """Write `data` beside `path` under a hidden name, flush it to disk, then rename it over `path`.

    Raises StoreUnwritable where the disk does not take it; what stood at `path` is still there then.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / f".{path.name}.{uuid.uuid4().hex}"
        try:
            with open(temporary, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


class RunWriter:
    """The run folder of one sweep (or of one trial run alone).

    Files are `<run>/<table>/<unit>.parquet` with the schema of `analysis.schema`; a column that the schema does
    not have, or a table that it does not know, is an error. A file whose name starts with a dot is being written.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).absolute()
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)

    def write(self, table: str, unit: str, rows: Sequence[Mapping[str, Any]]) -> Path:
        """Replace the file of `unit` in `table` by `rows`; columns that a row lacks are null."""
        return self.write_table(table, unit, to_table(table, rows))

    def write_table(self, table: str, unit: str, content: pa.Table) -> Path:
        """As `write`, of rows that are an Arrow table in the schema already. One file holds one unit, so that statistics
        spare no reader anything, and numbers that hardly repeat need no dictionary: half of a small table is these."""
        path = self.path / table / f"{unit}.parquet"
        buffer = pa.BufferOutputStream()
        repeated = [field.name for field in content.schema if not pa.types.is_floating(field.type)]
        options: dict[str, Any] = {"write_statistics": False, "use_dictionary": repeated}
        pq.write_table(content, buffer, compression="zstd", write_page_checksum=True, **options)
        replace_atomically(path, buffer.getvalue().to_pybytes())
        return path

    def write_json(self, name: str, content: Any) -> Path:
        """Replace `<run>/<name>` by readable JSON."""
        path = self.path / name
        replace_atomically(path, (json.dumps(content, indent=1, sort_keys=True, default=str) + "\n").encode())
        return path

    def write_text(self, name: str, text: str) -> Path:
        path = self.path / name
        replace_atomically(path, text.encode())
        return path

    def checkpoint_folder(self, unit: str) -> Path:
        folder = self.path / "checkpoints" / unit
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder
