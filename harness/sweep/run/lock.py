"""The lock that the driver of a run holds: one driver per folder, and the only proof that a run is running."""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from analysis.errors import UserError
from analysis.schema import LOCK
from harness.store.storage import check_shareable, locking

ATTEMPTS, PAUSE = 4, 0.05
"""Looks at a lock that is held, and seconds between them: a dry run that asks holds it for a moment too."""


def driver_running(run: Path) -> bool:
    """Whether a driver is at work in `run`, which the status in its plan does not tell: its driver may be dead. Nothing
    is written.

    Raises UserError where that cannot be known.
    """
    try:
        stream = (run / LOCK).open("r")
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UserError(f"{run / LOCK}: cannot be looked at ({error.strerror}); give another --out") from None
    with stream, locking(run):
        return not _take(stream.fileno(), fcntl.LOCK_SH)


def refuse_running(run: Path) -> None:
    """Raise UserError when a driver is at work in `run`."""
    if driver_running(run):
        raise UserError(_another(run))


@contextlib.contextmanager
def only_driver(run: Path) -> Iterator[None]:
    """Hold the lock of `run`: taken before its plan is read, kept until nothing is written any more. The kernel drops
    the lock of a driver that was killed. A folder that stays empty is removed, with the parents that were made for it.

    Raises
    ------
    UserError
        at once, when another driver holds it, or the folder cannot be written to or has no locks.
    """
    check_shareable(run)
    made = [place for place in (run, *run.parents) if not place.exists()]
    try:
        with locking(run):
            number = _locked(run)
    except OSError as error:
        raise UserError(f"--out {run}: {error.strerror}; give another --out") from None
    if number is None:
        raise UserError(_another(run))
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, number)
        shutil.rmtree(run / "ray", ignore_errors=True)
        try:
            yield
        finally:
            if [file.name for file in run.iterdir()] == [LOCK]:
                (run / LOCK).unlink()
                # A folder that a disk is mounted on, or that is in use, stays.
                with contextlib.suppress(OSError):
                    for place in [run, *made[1:]]:
                        place.rmdir()


def _locked(run: Path) -> int | None:
    """Descriptor of the lock, held; None when another driver holds it."""
    while True:
        run.mkdir(parents=True, exist_ok=True)
        lock = run / LOCK
        try:
            number = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:
            continue  # a driver that found nothing to do has just removed its folder
        if not _take(number, fcntl.LOCK_EX):
            os.close(number)
            return None
        if lock.exists() and os.path.samestat(os.fstat(number), lock.stat()):
            return number
        os.close(number)  # the file was removed between opening and locking it: it guards nothing


def _take(number: int, kind: int) -> bool:
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE)
        try:
            fcntl.flock(number, kind | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            continue
    return False


def _another(run: Path) -> str:
    return f"{run}: another sweep is running in this folder; wait for it, or give another --out"
