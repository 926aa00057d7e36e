"""Files that cannot be read are put aside under their name with a suffix, never deleted."""

import itertools
import os
from pathlib import Path

SUFFIX = ".damaged"


def put_aside(path: Path) -> Path:
    """Rename what is at `path` to its name with `.damaged` (and a number where that is taken); returns where it is now."""
    for number in itertools.count(1):
        target = path.with_name(path.name + SUFFIX + (f"-{number}" if number > 1 else ""))
        if not os.path.lexists(target):
            return path.rename(target)
    raise AssertionError("there is no last number")
