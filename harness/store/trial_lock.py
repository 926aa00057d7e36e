"""The lock that a trial alone holds of its run: the only proof that it is running, as a driver's is of a sweep."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from analysis.schema import TRIAL_LOCK
from harness.store.storage import locking, writing


@contextlib.contextmanager
def at_work(run: Path) -> Iterator[None]:
    """Hold the lock of `run` beside other trials, each of which may hold it; the kernel drops that of one that was killed.

    Raises
    ------
    StoreUnwritable
        where the folder cannot be written to, or its file system has no locks.
    """
    with contextlib.ExitStack() as stack:
        with writing(run):
            # NFS gives a shared lock to who may read the file, and an exclusive one to who may write it.
            stream = stack.enter_context((run / TRIAL_LOCK).open("a+"))
            with locking(run):
                fcntl.flock(stream, fcntl.LOCK_SH)
        yield
