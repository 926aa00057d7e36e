"""Files that cannot be read are put aside under their name with a suffix, never deleted."""

import itertools
import os
from pathlib import Path

from harness.store.storage import writing

SUFFIX = ".damaged"


def put_aside(path: Path) -> Path:
    """Rename what is at `path` to its name with `.damaged` (and a number where that is taken); returns where it is now.

    Raises StoreUnwritable where the folder does not take it; what stood at `path` is still there then.
    """
    for number in itertools.count(1):
        target = path.with_name(path.name + SUFFIX + (f"-{number}" if number > 1 else ""))
        if not os.path.lexists(target):
            with writing(target):
                return path.rename(target)
    raise AssertionError("there is no last number")
