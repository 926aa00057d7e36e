"""One sentence for a run folder that cannot be written: full, read-only, or no folder."""

import contextlib
import errno
import fcntl
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from analysis.errors import UserError
from analysis.locks import without_locks

REASONS = {
    errno.ENOSPC: "there is no space left on its disk; make room",
    errno.EDQUOT: "the disk quota is used up; make room",
    errno.EROFS: "its file system is read-only; give a folder that can be written",
    errno.EACCES: "this user may not write there; give another folder",
    errno.EPERM: "this user may not write there; give another folder",
    errno.ENOTDIR: "a file stands where a folder is needed; give another folder",
    errno.EEXIST: "a file stands where a folder is needed; give another folder",
    errno.EISDIR: "a folder stands where a file is needed; move it away",
    errno.ENAMETOOLONG: "the name is too long for its file system; give a shorter one",
    errno.EFBIG: "a file grew larger than this user may have one; raise the limit (ulimit -f)",
    errno.EIO: "its disk reports an error; give a folder on another one",
}
"""Error number -> why nothing can be written, and what to do."""
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG)
"""Those that only a disk gives, whatever is being done."""
PROBE = 4096


class StoreUnwritable(UserError):
    """A run folder cannot be written: nothing is wrong with what was to be written, and it can go on later."""


def reason(error: BaseException | None, numbers: Iterable[int] = tuple(REASONS)) -> str | None:
    """Why a folder cannot be written, by an error or what caused it; None where the cause is none of `numbers`."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        number = error.errno if isinstance(error, OSError) else None
        if number is not None and number in numbers:
            return REASONS[number]
        cause = getattr(error, "cause", None)
        error = cause if isinstance(cause, BaseException) else error.__cause__ or error.__context__
    return None


@contextlib.contextmanager
def writing(place: Path, numbers: Iterable[int] = tuple(REASONS)) -> Iterator[None]:
    """Turn an error of the operating system while writing at `place` into one sentence.

    Raises
    ------
    StoreUnwritable
        for errors of `numbers`, wherever in a chain of causes they stand; any other is raised as it came.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        why = reason(error, numbers)
        if why is None:
            raise
        raise StoreUnwritable(f"{place} cannot be written: {why}") from error


@contextlib.contextmanager
def locking(place: Path) -> Iterator[None]:
    """Turn the error of a file system that has no locks, while a lock at `place` is asked for, into one sentence.

    Raises
    ------
    StoreUnwritable
        for that error; any other is raised as it came.
    """
    try:
        yield
    except OSError as error:
        why = without_locks(place, error)
        if why is None:
            raise
        raise StoreUnwritable(why) from error


def check_writable(folder: Path) -> None:
    """Try to write in `folder`, or in what is there of the path to it; nothing is left behind, by a kill either: the file
    has no name where the file system can do that.

    Raises
    ------
    StoreUnwritable
        where that does not work.
    """
    with _probe(folder):
        pass


def check_shareable(folder: Path) -> None:
    """As `check_writable`, of a folder that several processes write in: its file system must have locks, too."""
    with _probe(folder) as probe, locking(folder):
        fcntl.flock(probe, fcntl.LOCK_EX)


@contextlib.contextmanager
def _probe(folder: Path) -> Iterator[IO[bytes]]:
    """A file without a name in `folder`, or in what is there of the path to it, that took some bytes."""
    with writing(folder), contextlib.ExitStack() as stack:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            folder.lstat()  # a name that is too long; what is there of the path is looked at next
        there = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
        if not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(there))
        try:
            probe = stack.enter_context(tempfile.TemporaryFile(dir=there))
            probe.write(bytes(PROBE))
            probe.flush()
            os.fsync(probe.fileno())
        except FileNotFoundError as error:
            # A file system such as /proc, where nobody makes files.
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(there)) from error
        yield probe
