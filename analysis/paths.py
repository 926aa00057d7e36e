"""Paths as a person writes them, and whether somebody is at work in a run's folder."""

import errno
import fcntl
import os
import time
from pathlib import Path
from typing import IO

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
    """Whether a sweep is known to be running in `run` at this moment; False where that cannot be known (`in_doubt`)."""
    return _refused(run / LOCK, fcntl.LOCK_SH) is True


def tried(run: Path) -> bool:
    """Whether a trial alone (`python -m harness.single`) is known to be running in `run` at this moment."""
    for look in range(LOOKS):
        if look:
            time.sleep(PAUSE)
        if _refused(run / TRIAL_LOCK, fcntl.LOCK_EX) is not True:
            return False
    return True


def in_doubt(run: Path) -> str:
    """Why it cannot be known whether somebody is at work in `run`, in a sentence; empty where it can."""
    for lock, kind in ((LOCK, fcntl.LOCK_SH), (TRIAL_LOCK, fcntl.LOCK_EX)):
        answer = _refused(run / lock, kind)
        if isinstance(answer, OSError):
            return (
                f"{lock} cannot be locked ({answer.strerror}), so that nobody can tell whether it is running"
            )
    return ""


def _refused(file: Path, kind: int) -> bool | OSError:
    """Whether somebody holds a lock of the file beside which there can be none of this kind; False without the file, and
    the error where its file system has no locks or gives none to this user."""
    try:
        with _for_locking(file, kind) as stream:
            fcntl.flock(stream, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        return error
    return False


def _for_locking(file: Path, kind: int) -> IO[bytes]:
    """The file, opened to write for an exclusive lock where this user may, which is what NFS asks for; only to read
    otherwise."""
    if kind == fcntl.LOCK_EX and os.access(file, os.W_OK):
        return file.open("r+b")
    return file.open("rb")
