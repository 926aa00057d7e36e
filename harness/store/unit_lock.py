"""One writer per unit: what keeps a worker that outlived its driver apart from the one that goes on with its unit."""

import fcntl
import os
import time
import weakref
from pathlib import Path

from harness.store.storage import StoreUnwritable, locking, writing

FILE = ".writer"
"""In the unit's folder of checkpoints."""
PATIENCE, PAUSE = 15.0, 0.1
"""Seconds to wait for a writer that ends, which Ray's workers do within seconds of their driver, and between looks."""


class UnitLock:
    """Held from its construction until it is garbage or the process ends, whatever ends it.

    It is the process that holds it: a second one in the same process is no other writer.

    Raises
    ------
    StoreUnwritable
        where another process still holds it after PATIENCE seconds, or the folder cannot be written to, or has no locks.
    """

    def __init__(self, folder: Path) -> None:
        file = folder / FILE
        with writing(file):
            number = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        weakref.finalize(self, os.close, number)
        deadline = time.monotonic() + PATIENCE
        while not _taken(number, folder):
            if time.monotonic() > deadline:
                raise StoreUnwritable(
                    f"another process is writing unit {folder.name} of this run, such as a worker of an earlier start that "
                    "was stopped and not ended: end it"
                )
            time.sleep(PAUSE)


def _taken(number: int, folder: Path) -> bool:
    try:
        with locking(folder):
            fcntl.lockf(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
