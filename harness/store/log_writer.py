"""Appends to a unit's log: whole frames or nothing, on disk when `append` returns."""

import os
from pathlib import Path

from analysis.errors import UserError
from analysis.unit_log import START, Mark, advance
from harness.store.storage import writing


class LogWriter:
    """The log at `file`, written by one process at a time.

    What stands after `mark` is cut off at the first append: the frames of an epoch that was not finished.
    """

    def __init__(self, file: Path, mark: Mark = START) -> None:
        self.file, self.mark = file, mark

    def append(self, *frames: bytes) -> Mark:
        """Write frames, all in one; returns the mark after them.

        A process that is killed here leaves a beginning of them, which readers pass over. Where the disk takes no more
        it is cut off again, so that what stood before goes on to count.

        Raises
        ------
        StoreUnwritable
            when they cannot be written.
        UserError
            where what was written before is not there any more.
        """
        data = b"".join(frames)
        after = advance(self.mark, data)
        with writing(self.file):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            there = self.file.stat().st_size if self.file.exists() else 0
            if there < self.mark.length:
                raise UserError(
                    f"{self.file} was deleted or cut while its unit ran: the unit begins anew when it is asked for again"
                )
            handle = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                os.ftruncate(handle, self.mark.length)
                os.lseek(handle, self.mark.length, os.SEEK_SET)
                try:
                    write(handle, data)
                    os.fsync(handle)
                except OSError:
                    os.ftruncate(handle, self.mark.length)
                    raise
            finally:
                os.close(handle)
        self.mark = after
        return after


def write(handle: int, data: bytes) -> None:
    """All of `data`, in as many calls as the system needs."""
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]
