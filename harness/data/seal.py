"""What a folder of encoded arrays held when it was published, so that what was changed since is not read as data."""

import hashlib
import json
import os
from pathlib import Path

SEAL = "files.json"
"""Relative name -> size in bytes, time of the last change in ns and SHA-256, of every file of the folder."""


def seal(folder: Path) -> None:
    """Flush every file below `folder` to disk and record it in its `SEAL`; raises OSError where the disk fails."""
    records = {}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        state = file.stat()
        records[file.relative_to(folder).as_posix()] = {
            "bytes": state.st_size,
            "changed": state.st_mtime_ns,
            "sha256": digest,
        }
    with (folder / SEAL).open("w") as stream:
        json.dump(records, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())


def check_seal(folder: Path) -> None:
    """Raise ValueError naming the first file of `folder` that is not what was published, OSError for one that is gone.

    Only a file whose size or time of change differs from the record is read: a copy of the folder costs one reading a
    start, a folder as it was published none.
    """
    for name, was in json.loads((folder / SEAL).read_text()).items():
        file = folder / name
        state = file.stat()
        if (state.st_size, state.st_mtime_ns) == (was["bytes"], was["changed"]):
            continue
        with file.open("rb") as stream:
            same = (
                state.st_size == was["bytes"]
                and hashlib.file_digest(stream, "sha256").hexdigest() == was["sha256"]
            )
        if not same:
            raise ValueError(f"{folder.name}/{name} is not what was written")
