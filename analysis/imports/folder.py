"""Writing a run folder in one piece: it is there whole, or not at all."""

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from analysis.errors import UserError
from analysis.schema import KEYS, to_table

Tables = Mapping[str, list[dict[str, Any]]]


def refuse_occupied(out: Path) -> None:
    """Raise UserError where something is at the place of a new run already."""
    if out.is_symlink() or (out.exists() and not (out.is_dir() and not any(out.iterdir()))):
        raise UserError(f"{out} is there already; give --out the name of a new folder")


def write_folder(
    out: Path, units: Iterable[Tables], baselines: list[dict[str, Any]], documents: Mapping[str, Any]
) -> None:
    """A run of whole units (table -> rows, one of them in `units`), rows of baselines and JSON documents by name.

    It is made beside `out` under a name that starts with "." and renamed at its end. Raises UserError where it cannot be
    written.
    """
    refuse_occupied(out)
    hidden = out.parent / f".{out.name}.{os.getpid()}"
    try:
        hidden.mkdir(parents=True)
        for tables in units:
            (unit,) = tables["units"]
            for table, rows in tables.items():
                _write(hidden / table / f"{'-'.join(str(unit[key]) for key in KEYS)}.parquet", table, rows)
        if baselines:
            _write(hidden / "baselines" / f"{baselines[0]['fold']}.parquet", "baselines", baselines)
        for name, content in documents.items():
            (hidden / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        hidden.replace(out)
    except OSError as error:
        raise UserError(f"{out} cannot be written ({error.strerror or error})") from None
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _write(file: Path, table: str, rows: list[dict[str, Any]]) -> None:
    file.parent.mkdir(exist_ok=True)
    pq.write_table(to_table(table, rows), file)
