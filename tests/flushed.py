"""A flush to disk that waits for no disk: only a loss of power tells it from a real one, and no test cuts the power."""

import os
from typing import Protocol


class HasFile(Protocol):
    def fileno(self) -> int: ...


def flushed(fd: int | HasFile) -> None:
    """In place of `os.fsync`, which takes milliseconds at each of the ten thousand calls of the tests. OSError for a file
    that is not open, as there."""
    os.fstat(fd if isinstance(fd, int) else fd.fileno())
