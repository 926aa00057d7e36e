"""Paths as a person writes them, and whether somebody is at work in a run's folder."""

import errno
import fcntl
import os
import time
from pathlib import Path

from analysis.errors import UserError
from analysis.schema import LOCK, TRIAL_LOCK

LOOKS, PAUSE = 3, 0.02
"""Looks at the lock of trials, and seconds between them: another one who looks holds it for a moment."""


def user_path(text: str | Path) -> Path:
    """A path with `~` and `~name` in place of home folders; UserError for an empty text, an unknown user, or a name
    that is too long."""
    if not str(text).strip():
        raise UserError("a path is empty; expected the name of a file or folder")
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise UserError(f"{text}: there is no home folder of that name") from None
    try:
        path.lstat()
    except OSError as error:
        # What else there is against a path is said where it is used.
        if error.errno == errno.ENAMETOOLONG:
            raise UserError(f"{text}: the name is too long for its file system; give a shorter one") from None
    return path


def listed(folder: Path, suffix: str) -> list[Path]:
    """Files of a folder whose names end with `suffix` and do not start with ".", sorted; none without the folder.

    Raises UserError for a path that is no folder, and for a folder that this user may not read.
    """
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"{folder} cannot be read ({error.strerror}); it is a folder of the run") from None
    if not os.access(folder, os.X_OK):
        raise UserError(f"{folder} cannot be read (Permission denied); it is a folder of the run")
    return sorted(folder / name for name in names if name.endswith(suffix) and not name.startswith("."))


def driven(run: Path) -> bool:
    """Whether a sweep is running in `run` at this moment."""
    return _refused(run / LOCK, fcntl.LOCK_SH)


def tried(run: Path) -> bool:
    """Whether a trial alone (`python -m harness.single`) is running in `run` at this moment."""
    for look in range(LOOKS):
        if look:
            time.sleep(PAUSE)
        if not _refused(run / TRIAL_LOCK, fcntl.LOCK_EX):
            return False
    return True


def _refused(file: Path, kind: int) -> bool:
    """Whether somebody holds a lock of the file beside which there can be none of this kind; False without the file."""
    try:
        with file.open() as stream:
            fcntl.flock(stream, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
