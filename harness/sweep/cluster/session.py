"""The folder that a local Ray keeps its sockets, logs and spilled objects below, for as long as one driver lives."""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from analysis.errors import UserError

LOCK = "driver.lock"
"""File in a session folder that its driver holds a lock on; it says on which start of which kernel."""
DRAFT = ".prism-"
"""How the name of a session folder begins until it is locked."""
OLD = 3600
"""Seconds after which a draft is no longer being made, which takes milliseconds."""
SOCKET_PATH = 107
"""Bytes of the longest path that a Unix socket can have."""
RAYS = "r"
"""Ray's own folder inside: Ray opens it to everyone, and what is around it, this user's alone, keeps everyone out."""
BELOW = len(f"/{RAYS}/session_2026-01-01_00-00-00_000000_4194304/sockets/dash_TaskEventsHead")
"""Bytes that Ray's longest socket needs below its folder."""


@contextlib.contextmanager
def session_folder() -> Iterator[Path]:
    """A new folder of this user alone (mode 0700), whose lock this process holds; removed at the end.

    Folders of drivers that are gone are removed first. Which are, only a lock tells: a process of another container
    or node cannot be seen from here. One that was never finished has no user, and goes when it is old.

    Raises
    ------
    UserError
        when no folder for temporary files can be written to and has a path short enough for Ray's sockets.
    """
    root = short_root()
    remove_stale(root)
    _remove_drafts(root)
    folder, lock = _new(root)
    try:
        yield folder
    finally:
        # Ray's dashboard ends a little after the rest and may still write; what stays is for a later start.
        for pause in (0.0, 0.2, 0.5, 1.0, 2.0):
            time.sleep(pause)
            with contextlib.suppress(OSError):
                _remove(folder)
            if not folder.exists():
                break
        os.close(lock)


def short_root() -> Path:
    """The system's folder for temporary files, or another that is short enough for the paths of Ray's sockets.

    Raises
    ------
    UserError
        when there is none.
    """
    name = len(f"/{_prefix()}12345678")
    try:
        asked = [Path(tempfile.gettempdir())]
    except FileNotFoundError:
        asked = []
    candidates = [*asked, Path("/tmp"), Path("/var/tmp"), Path("/dev/shm")]
    for root in dict.fromkeys(candidates):
        fits = len(os.fsencode(root)) + name + BELOW <= SOCKET_PATH
        if fits and root.is_dir() and os.access(root, os.W_OK | os.X_OK):
            return root
    raise UserError(
        "Ray needs a folder for temporary files that can be written to and whose path has at most "
        f"{SOCKET_PATH - name - BELOW} characters, because the path of a Unix socket ends at {SOCKET_PATH}; none of "
        f"{', '.join(dict.fromkeys(map(str, candidates)))} is one: set TMPDIR to such a folder"
    )


def remove_stale(root: Path) -> None:
    """Remove this user's session folders below `root` whose driver is gone: those whose lock can be taken.

    A folder stays when anything about it is in doubt: not a folder of this user, no lock file, a lock that is held or that
    the file system does not know, or one of another kernel, whose locks may not reach here.
    """
    for folder in root.glob(f"{_prefix()}*"):
        with contextlib.suppress(OSError):
            state = folder.lstat()
            if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid():
                continue
            lock = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.read(lock, 200).decode(errors="replace") == _kernel():
                    _remove(folder)
            finally:
                os.close(lock)


def _new(root: Path) -> tuple[Path, int]:
    """A folder and its locked lock. It gets its name when it is locked, so that nobody finds it unlocked."""
    draft = lock = None
    try:
        draft = Path(tempfile.mkdtemp(prefix=DRAFT, dir=root))
        lock = os.open(draft / LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        # Where the file system knows no locks, nobody else can take this one either.
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(lock, _kernel().encode())
        return draft.rename(root / f"{_prefix()}{os.urandom(4).hex()}"), lock
    except OSError as error:
        if lock is not None:
            os.close(lock)
        if draft is not None:
            _remove_draft(draft)
        raise UserError(
            f"{root}: no folder for Ray's temporary files could be made there ({error.strerror}); "
            "set TMPDIR to a folder that can be written to and has room"
        ) from None


def _remove_drafts(root: Path) -> None:
    """Remove the folders of this user's drivers that were killed while they made them: nothing runs in those."""
    for draft in root.glob(f"{DRAFT}*"):
        with contextlib.suppress(OSError):
            state = draft.lstat()
            mine = stat.S_ISDIR(state.st_mode) and state.st_uid == os.getuid()
            if mine and time.time() - state.st_mtime > OLD:
                _remove_draft(draft)


def _remove_draft(draft: Path) -> None:
    """Remove a draft that holds its lock alone; one with anything else in it stays."""
    with contextlib.suppress(OSError):
        (draft / LOCK).unlink(missing_ok=True)
        draft.rmdir()


def _remove(folder: Path) -> None:
    """Remove a session folder, its lock last; a later start removes what a process of Ray still writes to."""
    for inside in folder.iterdir():
        if inside.is_dir() and not inside.is_symlink():
            shutil.rmtree(inside, ignore_errors=True)
        elif inside.name != LOCK:
            inside.unlink(missing_ok=True)
    if [inside.name for inside in folder.iterdir()] == [LOCK]:
        (folder / LOCK).unlink()
        folder.rmdir()


def _prefix() -> str:
    """What this user's session folders are called: by number, since a container's user need not have a name."""
    return f"prism-{os.getuid()}-"


def _kernel() -> str:
    """Which start of which kernel this is: a lock says nothing about processes under another."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return os.uname().nodename
