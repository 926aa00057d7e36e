"""What a process does with memory that was freed."""

import ctypes
import platform
from functools import cache

KEPT_BYTES = 512 * 2**20
"""Most free memory at the end of the heap that stays with the process."""
MAPPED_BYTES = 32 * 2**20
"""Size from which a tensor gets memory of its own, which goes back to the system with it."""
MALLOPT = {-1: KEPT_BYTES, -3: MAPPED_BYTES}
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's malloc.h."""


@cache
def keep_freed_memory() -> None:
    """Have glibc keep what a step freed for the next one, asked once per process: the system clears every page that it
    hands out again, and a step frees all of its tensors. Where the C library is another one, nothing changes."""
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        for option, value in MALLOPT.items():
            library.mallopt(option, value)
