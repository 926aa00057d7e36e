"""Encoded data as bytes, and as files of another machine again."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from analysis.errors import UserError
from harness.data.publishing import locked, publish, writing_cache
from harness.data.seal import SEAL

Files = Mapping[str, np.ndarray]
"""Name of a file below a folder -> its bytes, uint8 [n]."""


def read_files(view: Path) -> dict[str, Files]:
    """Files of an encoded dataset: folder, named from the cache on (`STORE`, `STORE/windows-...`) -> those of its seal.

    They are mapped, not read: the bytes go from the page cache to where they are sent.
    """
    contents: dict[str, Files] = {}
    for folder in (view.parent, view):
        names = [*json.loads((folder / SEAL).read_text()), SEAL]
        contents[folder.relative_to(view.parents[1]).as_posix()] = {
            name: _mapped(folder / name) for name in names
        }
    return contents


def copy_here(view: Path, fetch: Callable[[], Mapping[str, Files]]) -> int | None:
    """Make `view` and its store, where they are not there, of what `fetch` gives; bytes written, None for nothing.

    Of several processes one does, and the others wait for it. What was written is compared with its seal before it can
    be read.

    Raises
    ------
    UserError
        for a cache that is full or cannot be written, and for bytes that are not those that were published.
    """
    cache = view.parents[1]
    if view.is_dir():
        return None
    with writing_cache(cache):
        cache.mkdir(parents=True, exist_ok=True)
        with locked(cache / f".{view.parent.name}.lock"):
            if view.is_dir():
                return None
            written = 0
            for name, files in fetch().items():
                folder = cache / name
                if not folder.is_dir():
                    publish(folder, lambda new, files=files: _write(new, files))  # type: ignore[misc]
                    written += sum(array.nbytes for array in files.values())
            return written


def _write(folder: Path, files: Files) -> None:
    """Write all files but the seal, which the folder gets anew with its own times."""
    records = json.loads(bytes(files[SEAL]))
    for name, record in records.items():
        if hashlib.sha256(files[name].data).hexdigest() != record["sha256"]:
            raise UserError(f"{folder.name}/{name} of the encoded data is not what was sent; start again")
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as stream:
            stream.write(files[name])
            os.fsync(stream.fileno())


def _mapped(file: Path) -> np.ndarray:
    if not file.stat().st_size:
        return np.empty(0, np.uint8)
    return np.asarray(np.memmap(file, np.uint8, mode="r"))
