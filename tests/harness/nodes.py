"""A Ray cluster of several nodes on one machine, of which some see other file systems than the rest."""

import ctypes
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

NEW_MOUNTS = 0x00020000
"""CLONE_NEWNS of unshare(2)."""


def apart(start: Callable[[], Any], hidden: Sequence[Path]) -> Any:
    """What `start` returns, called in a thread whose processes find the `hidden` folders empty, on a disk of their own.

    Skips the test where this user may not mount, as only the machine's administrator may.
    """
    returned: list[Any] = []
    problems: list[str] = []

    def begin() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(NEW_MOUNTS):
            problems.append(os.strerror(ctypes.get_errno()))
            return
        # Before anything is mounted: else it would be mounted for everybody.
        for command in (
            ["mount", "--make-rprivate", "/"],
            *(["mount", "-t", "tmpfs", "tmpfs", str(folder)] for folder in hidden),
        ):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                problems.append(done.stderr.strip())
                return
        returned.append(start())

    thread = threading.Thread(target=begin)
    thread.start()
    thread.join()
    if problems:
        pytest.skip(f"no node can be given a file system of its own here: {problems[0]}")
    return returned[0]
