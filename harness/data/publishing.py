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
from harness.store.storage import locking


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
        raise UserError(
            f"cache {cache} cannot be written ({error.strerror or error}); expected a folder that can, given with "
            "--cache"
        ) from None


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Exclusive lock between processes; the kernel releases it when the holder dies.

    Raises StoreUnwritable where the file system has no locks.
    """
    with file.open("w") as stream:
        with locking(file.parent):
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
