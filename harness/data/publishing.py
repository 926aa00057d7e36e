"""Folders of encoded data that appear whole or not at all, in a cache that processes share."""

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from analysis.errors import UserError
from harness.data.seal import seal
from harness.store.storage import REASONS, locking, reason


def publish(final: Path, write: Callable[[Path], None]) -> None:
    """Run `write` on a hidden sibling folder and rename it to `final`; on any error nothing stays."""
    for stale in final.parent.glob(f".{final.name}.new-*"):
        shutil.rmtree(stale, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{final.name}.new-", dir=final.parent))
    try:
        write(scratch / "content")
        seal(scratch / "content")
        os.rename(scratch / "content", final)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextlib.contextmanager
def writing_cache(cache: Path) -> Iterator[None]:
    """Say in one sentence what keeps the cache from being written."""
    try:
        yield
    except BrokenPipeError:
        raise  # the progress bar's reader went away
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise UserError(
                f"cache {cache} has no room for the encoded data ({error.strerror}); free some, or keep them elsewhere "
                "with --cache"
            ) from None
        raise _unwritable(cache, reason(error) or error.strerror or str(error)) from None


def check_cache(cache: Path) -> None:
    """UserError where encoded data could not be kept in `cache`, as far as can be told without writing."""
    there = next(place for place in (cache, *cache.absolute().parents) if place.exists())
    if not there.is_dir():
        raise _unwritable(cache, REASONS[errno.ENOTDIR])
    if not os.access(there, os.W_OK | os.X_OK):
        raise _unwritable(cache, REASONS[errno.EACCES])


def _unwritable(cache: Path, why: str) -> UserError:
    return UserError(f"cache {cache} cannot be written: {why} (--cache)")


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Exclusive lock between processes; the kernel releases it when the holder dies.

    Raises StoreUnwritable where the file system has no locks.
    """
    with file.open("w") as stream:
        with locking(file.parent):
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
