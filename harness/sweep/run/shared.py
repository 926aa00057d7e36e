"""Whether a run folder, as a node sees it, is the one that the sweep's driver writes to."""

import hashlib
import socket
import time
from pathlib import Path

from analysis.schema import PROVENANCE
from harness.store.storage import StoreUnwritable

PATIENCE = 10.0
"""Seconds for a network file system to show what another machine has just written."""
PAUSE = 0.25


def mark(run: Path) -> str:
    """What tells this start of `run` from every other folder: a hash over its provenance, which every start rewrites;
    empty where there is none."""
    try:
        return hashlib.sha256((run / PROVENANCE).read_bytes()).hexdigest()
    except OSError:
        return ""


def refuse_unshared(run: Path, expected: str) -> None:
    """Raise StoreUnwritable where `run` does not have the driver's `mark` on this machine: what a trial wrote there, nobody
    would ever read."""
    deadline = time.monotonic() + PATIENCE
    while mark(run) != expected:
        if time.monotonic() > deadline:
            raise StoreUnwritable(
                f"{run} on node {socket.gethostname()} is not the folder that the sweep was started in: --out has to lie "
                "on a folder that all nodes share, under one path"
            )
        time.sleep(PAUSE)
