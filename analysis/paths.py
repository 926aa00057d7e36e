"""Paths as a person writes them, and whether somebody is at work in a run's folder."""

import fcntl
from pathlib import Path

from analysis.errors import UserError
from analysis.schema import LOCK


def user_path(text: str | Path) -> Path:
    """A path with `~` and `~name` in place of home folders; UserError for nothing, or a user that there is not."""
    if not str(text).strip():
        raise UserError("a path is empty; expected the name of a file or folder")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise UserError(f"{text}: there is no home folder of that name") from None


def driven(run: Path) -> bool:
    """Whether a sweep is running in `run` at this moment."""
    try:
        with (run / LOCK).open() as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
